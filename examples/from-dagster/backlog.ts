/** A backlog that is too much for one evaluation: a part of it in each, one at once after the other. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const PART = 100;
const Messages = z.array(z.object({ id: z.int() }));
export const handleMessage = defineJob({ name: 'handleMessage', config: z.object({ id: z.int() }) });

export const backlog = defineSensor({
  name: 'backlog',
  job: handleMessage,
  resources: { externalSystem },
  cursor: z.int().default(0),
  async *evaluate(ctx) {
    const path = `/messages?after=${ctx.cursor}&limit=${PART}`;
    const messages = await ctx.resources.externalSystem.get(path, Messages, ctx.signal);
    for (const { id } of messages) {
      yield ctx.run({ runKey: `${id}`, config: { id } });
      ctx.setCursor(id);
    }
    return messages.length === PART ? ctx.more() : null;
  },
});
