/** A resource that needs another one: a session that is opened with credentials, and closed in the end. */
import { defineJob, defineResource, defineSensor } from 'temporal-sensors';
import { z } from 'zod';

export const credentials = defineResource({
  config: z.object({ user: z.string(), password: z.string() }),
  create: ({ config }) => config,
});

export const session = defineResource({
  config: z.object({ url: z.url() }),
  dependsOn: { credentials },
  async create({ config: { url }, resources, signal }) {
    const body = JSON.stringify(resources.credentials);
    const response = await fetch(`${url}/sessions`, { method: 'POST', body, signal });
    if (!response.ok) throw new Error(`the login was answered ${response.status}`);
    return `${url}/sessions/${await response.text()}`;
  },
  dispose: async (session) => void (await fetch(session, { method: 'DELETE' })),
});

export const welcomeUser = defineJob({ name: 'welcomeUser', config: z.object({ user: z.string() }) });

export const newUsers = defineSensor({
  name: 'newUsers',
  job: welcomeUser,
  resources: { session },
  async evaluate(ctx) {
    const response = await fetch(`${ctx.resources.session}/users`, { signal: ctx.signal });
    const users = z.array(z.string()).parse(await response.json());
    return users.map((user) => ctx.run({ runKey: user, config: { user } }));
  },
});
