/** Updates that no worker saw are sent again, and no others. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { processed } from '../../src/client/processed.js';

function refusedBy(type: string): WorkflowUpdateFailedError {
  return new WorkflowUpdateFailedError('Workflow Update failed', ApplicationFailure.create({ message: 'no', type }));
}

test('an update that no worker saw is sent again, one that was refused is not, and not for ever', async () => {
  let sent = 0;
  const after = (times: number, error: Error) => async (): Promise<string> => {
    if (++sent <= times) throw error;
    return 'done';
  };
  expect(await processed(after(2, refusedBy('UnprocessedUpdate')))).toBe('done');
  expect(sent).toBe(3);
  sent = 0;
  await expect(processed(after(1, refusedBy('Rejected')))).rejects.toThrow('Workflow Update failed');
  expect(sent).toBe(1);
  sent = 0;
  await expect(processed(after(100, refusedBy('UnprocessedUpdate')))).rejects.toThrow('Workflow Update failed');
  expect(sent).toBe(5);
});
