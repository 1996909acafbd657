// oidc-provider, unmodified: certified, and with pages for development on which any password will do.
// PORT is where it listens on 127.0.0.1; CLIENT is the JSON of the one client's metadata. EMAIL_IN_ID_TOKEN
// says whether the address is there as well, or at the UserInfo endpoint alone, as the standard has it.

import { Provider } from "oidc-provider";

const issuer = `http://127.0.0.1:${process.env.PORT}`;

const provider = new Provider(issuer, {
  clients: [JSON.parse(process.env.CLIENT)],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  conformIdTokenClaims: !process.env.EMAIL_IN_ID_TOKEN,
  cookies: { keys: ["only for tests"] },
  async findAccount(_, login) {
    return {
      accountId: login,
      claims: () => ({ sub: login, email: `${login}@example.org`, email_verified: login !== "unverified" }),
    };
  },
});

provider.listen(Number(process.env.PORT), "127.0.0.1");
