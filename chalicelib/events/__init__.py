"""What the platform is told of: `changes` says what a change of a row means, `publisher` delivers it."""
