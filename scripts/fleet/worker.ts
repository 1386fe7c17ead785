/** A worker of the fleet: takes members from the queue and works them, some at a time; any number of them, anywhere. */
import { hostname } from 'node:os';
import type { Sql } from 'postgres';
import { z } from 'zod';
import { duration, whole } from '../command/figures.ts';
import { pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { expectFleet, explained, lasting, openControl } from './control.ts';
import type { Outcome } from './outcome.ts';
import { takenSchema, workPiece } from './piece.ts';
import { type MemberJob, Queue } from './queue.ts';

export interface Working {
  controlUrl: string;
  /** Members at the same time. */
  slots: number;
  name?: string | undefined;
  terminal: Terminal;
  /** When it comes the running batches end, and their members are given back. */
  signal: AbortSignal;
}

/** How often it says that it is there, how often it looks which members to queue, and how often for a job where there was none. */
const beatMs = 4_000;
const tickMs = 1_000;
const pollMs = 500;

/** How often it looks while no rollout is open: it hears of one that begins. */
const idleMs = 2_000;

/** Works until the signal comes. Throws what keeps it from working at all. */
export async function work(working: Working): Promise<void> {
  const { controlUrl, terminal } = working;
  const warn = (line: string) => terminal.warn(line);
  let worker: Worker | undefined;
  const control = openControl(controlUrl, warn, () => worker?.wake());
  const jobs = openControl(controlUrl, warn);
  const queue = new Queue(jobs, true, (code) => terminal.debug(`The queue met ${code}.`));
  try {
    await expectFleet(control);
    await queue.open();
    worker = new Worker(working, control, queue);
    await worker.run();
  } catch (error) {
    throw explained(error);
  } finally {
    await queue.close().catch(() => {});
    await Promise.all([control, jobs].map((sql) => sql.end({ timeout: 2 })));
  }
}

const settledSchema = z.object({
  mine: z.boolean(),
  state: z.string().optional(),
  again: z.boolean().optional(),
  decide: z.boolean().optional(),
  retry_after_ms: z.number().optional(),
});

const tickSchema = z.object({
  is_open: z.boolean().optional(),
  due: z
    .array(
      z
        .object({
          rollout: z.number(),
          member: z.string(),
          server: z.string(),
          cap: z.number().nullable(),
          delay_ms: z.number(),
        })
        .transform(({ delay_ms, ...one }) => ({ ...one, delayMs: delay_ms })),
    )
    .default([]),
});

const refusedSchema = z.object({ go: z.literal(false), retry_after_ms: z.number().optional() });

class Worker {
  readonly id = crypto.randomUUID();
  readonly #name: string;
  readonly #working: Working;
  readonly #control: Sql;
  readonly #queue: Queue;
  readonly #busy = new Map<string, Promise<void>>();
  #wake = new AbortController();
  #tickedAt = Number.NEGATIVE_INFINITY;
  /** Whether a rollout is open, as far as it knows. */
  #isOpen = true;
  #isLost = false;

  constructor(working: Working, control: Sql, queue: Queue) {
    this.#working = working;
    this.#control = control;
    this.#queue = queue;
    this.#name = working.name ?? `${hostname()} ${process.pid}`;
  }

  /** There is work: it looks at once. */
  wake(): void {
    this.#isOpen = true;
    this.#tickedAt = Number.NEGATIVE_INFINITY;
    this.#wake.abort();
  }

  async run(): Promise<void> {
    const { signal, slots, terminal } = this.#working;
    const beating = this.#beat();
    terminal.info(`Worker ${this.#name}: ${slots} at a time.`);
    try {
      while (!signal.aborted) {
        const free = slots - this.#busy.size;
        const jobs = free > 0 ? await this.#lasting(() => this.#queue.next(free)) : [];
        for (const job of jobs) {
          const done = this.#handle(job).finally(() => {
            this.#busy.delete(job.id);
            this.#wake.abort();
          });
          this.#busy.set(job.id, done);
        }
        if (await this.#tick()) continue;
        await pause(this.#isOpen ? pollMs : idleMs, AbortSignal.any([signal, this.#wake.signal]));
        this.#wake = new AbortController();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await Promise.allSettled(this.#busy.values());
      await beating;
      await this.#control`delete from imago_fleet.worker where id = ${this.id}`.catch(() => {});
    }
  }

  /** Says that it is there, and that its jobs are being worked. Its session hears of work then, also when it is a new one. */
  async #beat(): Promise<void> {
    const { signal, slots } = this.#working;
    const ended = () => signal.aborted && this.#busy.size === 0;
    while (!ended()) {
      try {
        await this.#control`select imago_fleet.beat(${this.id}, ${this.#name}, ${slots})`;
        if (this.#busy.size > 0) await this.#queue.touch([...this.#busy.keys()]);
      } catch {
        // The next question says so.
      }
      await pause(beatMs, signal);
      // Ends within a moment of the last piece.
      if (signal.aborted && !ended()) await pause(200);
    }
  }

  /** Decides what is due, and queues members whose turn it is. One worker at a time does that. Says whether there is more to take. */
  async #tick(): Promise<boolean> {
    const now = performance.now();
    if (now - this.#tickedAt < (this.#isOpen ? tickMs : idleMs)) return false;
    this.#tickedAt = now;
    return await this.#lasting(() =>
      this.#control.begin(async (tx) => {
        const [row] = await tx<{ answer: unknown }[]>`select imago_fleet.tick(500) as answer`;
        const { is_open, due } = tickSchema.parse(row?.answer);
        if (is_open !== undefined) this.#isOpen = is_open;
        if (due.length === 0) return false;
        const added = await this.#queue.add(due, tx);
        for (const [rollout, members] of Map.groupBy(added, (one) => one.rollout)) {
          await tx`select imago_fleet.queued(${rollout}, ${members.map(({ member }) => member)})`;
        }
        return added.length > 0;
      }),
    );
  }

  async #handle(job: MemberJob): Promise<void> {
    const { rollout, member } = job.data;
    const { signal, terminal } = this.#working;
    try {
      const [row] = await this.#lasting(
        () => this.#control<{ answer: unknown }[]>`
          select imago_fleet.take(${rollout}, ${member}, ${this.id}) as answer`,
      );
      const refused = refusedSchema.safeParse(row?.answer);
      if (refused.success) return await this.#giveBack(job, refused.data.retry_after_ms);
      const taken = takenSchema.parse(row?.answer);
      const outcome = await workPiece({
        taken,
        control: this.#control,
        terminal,
        signal,
        report: async (figures) => {
          const [told] = await this.#lasting(
            () => this.#control<{ on: boolean }[]>`
              select imago_fleet.report(${rollout}, ${member}, ${taken.attempt}, ${this.#control.json(figures as never)}) as on`,
          );
          return told?.on ?? false;
        },
      });
      await this.#settle(job, taken.attempt, outcome);
    } catch (error) {
      // The control database is away, and the worker was told to stop: its heartbeat ends, and another takes the member over.
      terminal.warn(`${member}: given up (${(error as { code?: string }).code ?? (error as Error).name}).`);
    }
  }

  /** It is not its turn: the job goes, or comes again when its server may have room. */
  async #giveBack(job: MemberJob, retryAfterMs: number | undefined): Promise<void> {
    await this.#lasting(() =>
      this.#control.begin(async (tx) => {
        await this.#queue.complete(job.id, tx);
        if (retryAfterMs !== undefined) await this.#again(job, retryAfterMs, tx);
      }),
    );
  }

  /** Notes what it has come to; the job ends in the same transaction, and the next one of the member begins in it. */
  async #settle(job: MemberJob, attempt: number, outcome: Outcome): Promise<void> {
    const { rollout, member } = job.data;
    const settled = await this.#lasting(() =>
      this.#control.begin(async (tx) => {
        const [row] = await tx<{ answer: unknown }[]>`
          select imago_fleet.settle(${rollout}, ${member}, ${attempt}, ${tx.json(outcome as never)}) as answer`;
        const answer = settledSchema.parse(row?.answer);
        // Another worker has it: its job is that one's, too.
        if (!answer.mine) return answer;
        await this.#queue.complete(job.id, tx);
        if (answer.again) await this.#again(job, answer.retry_after_ms ?? 0, tx);
        return answer;
      }),
    );
    this.#say(member, settled.state, outcome);
    if (settled.decide) this.#tickedAt = Number.NEGATIVE_INFINITY;
  }

  async #again(job: MemberJob, delayMs: number, tx: Parameters<Queue['add']>[1]): Promise<void> {
    const [row] = await tx<{ server: string; cap: number | null }[]>`
      select imago_fleet.server_of(m) as server, (r.options ->> 'per_server')::integer as cap
      from imago_fleet.member m, imago_fleet.rollout r
      where m.name = ${job.data.member} and r.id = ${job.data.rollout}`;
    if (row) await this.#queue.add([{ ...job.data, ...row, delayMs }], tx);
  }

  #say(member: string, state: string | undefined, { moved, worked_ms, code, reason }: Outcome): void {
    const { terminal } = this.#working;
    if (state === undefined) {
      terminal.info(`${member}: another worker has taken it over.`);
      return;
    }
    const why = state === 'succeeded' ? '' : [code, reason].filter(Boolean).join(': ');
    const line = [
      `${member}: ${state}`,
      ...(moved ? [`${whole(moved)} moved`, duration(worked_ms ?? 0)] : []),
      ...(why ? [why] : []),
    ].join(' · ');
    if (state === 'failed') terminal.warn(line);
    else terminal.info(line);
  }

  async #lasting<Answer>(ask: () => PromiseLike<Answer>): Promise<Answer> {
    const { signal, terminal } = this.#working;
    const answer = await lasting(ask, signal, (code) => {
      if (!this.#isLost) terminal.warn(`The control database is away (${code}); waiting for it.`);
      this.#isLost = true;
    });
    if (this.#isLost) terminal.info('The control database is back.');
    this.#isLost = false;
    return answer;
  }
}
