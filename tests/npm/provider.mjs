// oidc-provider with one client, whose people sign in without a page: whoever `/as` was told last.
// node provider.mjs MODULE '{"port", "issuer", "redirect_uri", "alg", "secret"}'
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';

const [module, text] = process.argv.slice(2);
const { Provider } = await import(module);
const { port, issuer, redirect_uri, alg, secret } = JSON.parse(text);
const { privateKey } = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
const people = new Map();
let current = null;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'fastgw', client_secret: secret, redirect_uris: [redirect_uri], response_types: ['code'], grant_types: ['authorization_code'],
    id_token_signed_response_alg: alg,
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg }] },
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['for tests'] },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
createServer(async (request, response) => {
  try {
    if (request.url === '/as') {
      let body = '';
      for await (const piece of request) body += piece;
      current = JSON.parse(body);
      if (current) people.set(current.sub, current);
      response.end('{}');
    } else if (request.url.startsWith('/interaction/')) {
      await provider.interactionFinished(request, response, current
        ? { login: { accountId: current.sub } }
        : { error: 'access_denied', error_description: 'the person said no' });
    } else {
      await answer(request, response);
    }
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack));
  }
}).listen(port, '127.0.0.1');
