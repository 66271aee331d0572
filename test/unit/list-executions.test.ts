/** A list of workflows whose memos a slow codec decodes. */
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import Long from 'long';
import { expect, test, vi } from 'vitest';
import { listExecutions } from '../../src/client/executions.js';

test('memos of a page are decoded several at a time, and listed in the order of the server', async () => {
  const ids = Array.from({ length: 50 }, (_, index) => `sensor/${index}`);
  const connection = Connection.lazy();
  vi.spyOn(connection.workflowService, 'listWorkflowExecutions').mockImplementation((() =>
    Promise.resolve({
      executions: ids.map((workflowId) => ({
        execution: { workflowId, runId: workflowId },
        type: { name: 'sensorLoop' },
        taskQueue: 'a',
        status: 1,
        historyLength: Long.fromNumber(3),
        startTime: { seconds: Long.ZERO },
        memo: { fields: { id: defaultPayloadConverter.toPayload(workflowId) } },
      })),
      nextPageToken: new Uint8Array(),
    })) as never);
  let decoding = 0;
  let most = 0;
  const decode = async (payloads: Payload[]): Promise<Payload[]> => {
    most = Math.max(most, ++decoding);
    await new Promise(setImmediate);
    decoding--;
    return payloads;
  };
  const codec = { encode: async (payloads: Payload[]) => await Promise.resolve(payloads), decode };
  const client = new Client({ connection, dataConverter: { payloadCodecs: [codec] } });
  const listed: unknown[] = [];
  for await (const { memo } of listExecutions(client, '')) listed.push(memo?.['id']);
  expect(listed).toEqual(ids);
  expect(most).toBe(20);
});
