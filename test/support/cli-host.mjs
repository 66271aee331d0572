/**
 * The built command in a process that stays, because loading it costs more than most commands: runs what it is sent, also
 * several at a time, and answers with the exit code and with what was printed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { runCli } from '../../dist/esm/cli/program.js';

const printed = new AsyncLocalStorage();
for (const name of ['stdout', 'stderr']) {
  const write = process[name].write.bind(process[name]);
  process[name].write = (chunk, ...rest) => {
    const output = printed.getStore();
    if (output === undefined) return write(chunk, ...rest);
    output[name] += chunk;
    return true;
  };
}

async function answer({ id, args }) {
  const output = { stdout: '', stderr: '' };
  const code = await printed.run(output, () => runCli(args));
  process.send({ id, result: { code, ...output } });
}

process.on('message', (question) => void answer(question));
