/** Drives external stages with the functions that the plan has in the project: `external.ts`, or `external_2.ts` of the second stage. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { BatchAnswer } from '../../functions/_shared/answers.ts';
import {
  defaultOptions,
  type ExternalStage,
  type Schema,
  summedUp,
  workClaim,
} from '../../functions/_shared/external.ts';
import { counted } from '../command/figures.ts';
import { pause } from '../command/retry.ts';
import { UsageError } from '../command/usage.ts';
import { findProject, typedIn } from '../db/project.ts';
import type { Context } from './context.ts';

/** The functions of a plan by their stages, each with its file. */
export type Externals = ReadonlyMap<number, { stage: ExternalStage; file: string }>;

const schema = z.custom<Schema<unknown>>(
  (value) => typeof (value as Schema<unknown> | null)?.safeParse === 'function',
  'is no zod schema',
);

const exported = z.object({
  row: schema,
  result: schema,
  apply: z.custom<ExternalStage['apply']>((value) => typeof value === 'function', 'is no function'),
  options: z
    .strictObject({
      batchSize: z.int().min(1).max(1_000),
      concurrency: z.int().min(1).max(100),
      retries: z.int().min(0).max(20),
      timeoutMs: z.int().min(1).max(600_000),
      leaseMs: z.int().min(1_000).max(3_600_000),
    })
    .partial()
    .optional(),
});

/** The name that the file of a stage has. */
export function externalFile(stage: number): string {
  return stage === 1 ? 'external.ts' : `external_${stage}.ts`;
}

/** Loads what the plan has outside; refuses what cannot be called, before anything is done. */
export async function loadExternals({ options: { plan } }: Context): Promise<Externals> {
  const project = findProject(typedIn());
  return project === undefined
    ? new Map()
    : await externalsOf(path.join(project, 'supabase', 'imago', 'plans', plan));
}

/** The functions in the folder of a plan. */
export async function externalsOf(folder: string): Promise<Externals> {
  const found = new Map<number, { stage: ExternalStage; file: string }>();
  if (!existsSync(folder)) return found;
  for (const name of readdirSync(folder).sort()) {
    const match = /^external(?:_(?<number>\d+))?\.m?[jt]s$/.exec(name);
    if (!match) continue;
    const file = path.join(folder, name);
    found.set(Number(match.groups?.number ?? 1), { stage: await load(file), file: path.relative('.', file) });
  }
  return found;
}

async function load(file: string): Promise<ExternalStage> {
  let module: unknown;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    throw new UsageError(
      `${file} cannot be loaded: ${message}`,
      code === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? 'This Node takes no TypeScript: use 22.18 or newer, or write it as JavaScript (external.mjs).'
        : 'Fix it, or install what it imports, and type the same again.',
    );
  }
  const parsed = exported.safeParse(module);
  if (parsed.success) return parsed.data as ExternalStage;
  const [issue] = parsed.error.issues;
  throw new UsageError(
    `${file} does not export what is needed: ${issue?.path.join('.')}: ${issue?.message}`,
    'It exports row and result (zod schemas) and apply(rows, { keys, signal }); options may be left out.',
  );
}

/** Works one claim after another while migrate_batch says that the stage is done outside. */
export class ExternalDriver {
  readonly #context: Context;
  readonly #externals: Externals;
  readonly #workers: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #told = 0;

  constructor(context: Context, externals: Externals, workers: number) {
    this.#context = context;
    this.#externals = externals;
    this.#workers = workers;
  }

  /** The share of one worker in the calls at once; the answer as it is where the plan has no function for the stage. */
  async past(answer: BatchAnswer): Promise<BatchAnswer> {
    const external = this.#externals.get(answer.stage ?? 1);
    if (answer.status !== 'external' || !external) return answer;
    const { stage, file } = external;
    const { concurrency, batchSize } = { ...defaultOptions, ...stage.options };
    if (this.#told !== answer.stage) {
      this.#told = answer.stage ?? 1;
      this.#context.terminal.info(
        `Stage ${this.#told} is done outside, by ${file}: ${counted(concurrency, 'call')} at once, ${counted(batchSize, 'row')} each.`,
      );
    }
    const turns = Array.from({ length: Math.ceil(concurrency / this.#workers) }, () =>
      this.#oneOf(concurrency, () => this.#turn(stage, answer)),
    );
    const settled = await Promise.allSettled(turns);
    const broken = settled.find((turn) => turn.status === 'rejected');
    if (broken) throw broken.reason;
    const sum = summedUp(settled.flatMap((turn) => (turn.status === 'fulfilled' ? [turn.value] : [])));
    // Nothing to claim any more, or nothing yet: what comes next, migrate_batch says.
    return sum ?? answer;
  }

  async #turn(stage: ExternalStage, answer: BatchAnswer): Promise<BatchAnswer> {
    const { caller, options, signal } = this.#context;
    const of = { plan: options.plan, ...(answer.run != null && { run: Number(answer.run) }) };
    return await workClaim({
      stage,
      signal,
      pause: (ms) => pause(ms, signal),
      claim: (batch_size, lease_ms) => caller.call('claim_entities', { ...of, batch_size, lease_ms }, signal),
      bringBack: (token, results, failures) =>
        caller.call('return_entities', { ...of, token, results, failures } as never),
    });
  }

  /** No more than so many at once, whichever worker asks. */
  async #oneOf<Result>(most: number, work: () => Promise<Result>): Promise<Result> {
    while (this.#running >= most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }
}
