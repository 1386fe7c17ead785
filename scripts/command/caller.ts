/** Calls SQL functions for one invocation of the command: retried, timed, counted. */
import type { CallError } from '../call-error.ts';
import { type Answer, type Arguments, type Client, call, type FunctionName } from '../client.ts';
import { duration } from './figures.ts';
import { limits, mayHaveHappened, retrying } from './retry.ts';
import type { Terminal } from './terminal.ts';

/** Calls through the edge functions of a project; undefined for a call that only looks. */
export type ViaFunction = <Name extends FunctionName>(
  name: Name,
  args: Arguments<Name>,
) => Promise<Answer<Name>> | undefined;

export class Caller {
  readonly #client: Client;
  readonly #terminal: Terminal;
  readonly #verbose: boolean;
  readonly #viaFunction: ViaFunction | undefined;
  #answered = false;
  calls = 0;
  retries = 0;
  /** Calls that may have been done although their reply never came. */
  lostReplies = 0;

  constructor(client: Client, terminal: Terminal, verbose: boolean, viaFunction?: ViaFunction) {
    this.#client = client;
    this.#terminal = terminal;
    this.#verbose = verbose;
    this.#viaFunction = viaFunction;
  }

  /** Calls the function until it answers, or throws the last error. The signal ends the waiting between tries. */
  async call<Name extends FunctionName>(
    name: Name,
    args: Arguments<Name>,
    signal?: AbortSignal,
  ): Promise<Answer<Name>> {
    const work = () => this.#viaFunction?.(name, args) ?? call(this.#client, name, args);
    return await retrying(() => this.#once(name, work), {
      limit: this.#answered ? limits.driving : limits.first,
      ...(signal && { signal }),
      onRetry: (error, attempt, waitMs) => {
        this.retries += 1;
        const times = attempt === 1 ? '' : ` (${attempt} times in a row)`;
        const line = `${name}: ${error.message.replace(/\.$/, '')}${times}; trying again in ${duration(waitMs)}.`;
        // One lost call heals by itself; people want to know when it goes on.
        if (attempt === 1) this.#terminal.debug(line);
        else this.#terminal.warn(line);
      },
    });
  }

  async #once<Result extends object>(name: string, work: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    const say = (outcome: string): void => {
      const line = `${name} ${duration(performance.now() - startedAt)} ${outcome}`;
      if (this.#verbose) this.#terminal.info(this.#terminal.paint.dim(line));
      else this.#terminal.debug(line);
    };
    this.calls += 1;
    try {
      const answer = await work();
      this.#answered = true;
      say(summary(answer));
      return answer;
    } catch (error) {
      const { code } = error as CallError;
      if (mayHaveHappened(error)) this.lostReplies += 1;
      // An answer with an SQLSTATE came from a database: from now on it is worth waiting for.
      else this.#answered = true;
      say(code);
      throw error;
    }
  }
}

/** What a batch did, on one line: counts only. */
function summary(answer: object): string {
  const { status, processed, migrated, rolled_back, failed } = answer as Record<string, unknown>;
  if (status === undefined) return 'ok';
  const counts = Object.entries({ processed, migrated, rolled_back, failed }).filter(([, value]) => value);
  return [status, ...counts.map(([name, value]) => `${name} ${value}`)].join(' ');
}
