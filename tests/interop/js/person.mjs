// Somebody with a browser, who signs in and decides by the server's own forms.

const MAX_STEPS = 8;

/** Go where an application sends people, and return the URL that they are sent back to. */
export function authorize(server, account, url, decision = "allow") {
  return walk(account, url, decision, (at) => at.origin !== server.origin);
}

/** Go where a device sends people, as far as the page that sends them back to it. */
export function connectDevice(server, account, url, decision = "allow") {
  return walk(account, url, decision, (at) => at.pathname === "/device/done");
}

async function walk(account, url, decision, isThere) {
  const cookies = new Map();

  async function go(target, form) {
    const response = await fetch(target, {
      method: form ? "POST" : "GET",
      body: form,
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      redirect: "manual",
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    return response;
  }

  let at = url;
  let response = await go(at);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (response.status === 303) {
      at = new URL(response.headers.get("location"), at);
      if (isThere(at)) return at;
      response = await go(at);
      continue;
    }
    const page = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} at ${at}: ${page}`);
    const { action, fields } = readForm(page);
    const filled = fields.has("password")
      ? { email: account.email, password: account.password }
      : { decision };
    for (const [name, value] of Object.entries(filled)) fields.set(name, value);
    at = new URL(action, at);
    response = await go(at, fields);
  }
  throw new Error(`no end of pages at ${at}`);
}

/** The one form of a page, besides the one that signs out: where it goes, and what is in its fields. */
function readForm(html) {
  const page = html.slice(html.indexOf("<main"));
  const [, action] = /<form[^>]* action="([^"]*)"/.exec(page);
  const fields = new URLSearchParams();
  for (const [input] of page.matchAll(/<input[^>]*>/g)) {
    fields.set(attribute(input, "name"), attribute(input, "value"));
  }
  return { action: unescape(action), fields };
}

function attribute(tag, name) {
  return unescape(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

function unescape(text) {
  const entities = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'" };
  return text.replace(/&(amp|lt|gt|#34|#39);/g, (entity) => entities[entity]);
}
