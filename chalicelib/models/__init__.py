"""What is stored: one module per table. Knows DynamoDB; knows no HTTP and no OAuth parameter."""
