/** One way there or back: people call, the app writes, things go wrong; then all rest, and every row is looked at. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  expectNoTraces,
  expectOneRowEach,
  pendingOf,
  setAside,
} from '../../scripts/plan/conformance/looks.ts';
import { until } from '../../scripts/plan/conformance/until.ts';
import { value } from '../support/call.ts';
import { generator } from '../support/random.ts';
import type { Slice } from './app.ts';
import { callToEnd, startCallers } from './callers.ts';
import { type Chance, type Fault, faults, missingFaults } from './faults.ts';
import type { Way } from './machine.ts';
import type { World } from './world.ts';
import { sliceOf, startWriters, writers } from './writers.ts';

/** A way to go: all the way there, a part of it, all the way back. */
export type Leg = 'there' | 'half-way' | 'back';

/** Faults of one way at most: what is left of it then goes on undisturbed. */
const most = 40;
const pauseMs = 25;

/** Whether the sessions of those who were killed, or cut off, have ended what they were about. */
const idle = `
  select not exists (select from pg_stat_activity
    where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend')`;

/** Chooses faults so that each comes as often as the others, in an order that the seed tells. */
export class Bag {
  readonly #random: () => number;
  readonly #known = faults.filter(({ name }) => !(name in missingFaults()));
  #left: Fault[] = [];

  constructor(seed: number) {
    this.#random = generator(seed);
  }

  next(): Fault {
    if (this.#left.length === 0) this.#left = [...this.#known];
    const [fault] = this.#left.splice(this.chance.below(this.#left.length), 1);
    if (!fault) throw new Error('there is no fault');
    return fault;
  }

  readonly chance: Chance = {
    below: (limit) => Math.floor(this.#random() * limit),
    one: (list) => list[Math.floor(this.#random() * list.length)],
  };
}

export function slicesOf(world: World, seed: number): Slice[] {
  return Array.from({ length: writers }, (_, writer) => sliceOf(world, writer, generator(seed + writer)));
}

/** Goes one way; `enough` says when there need be no more faults. */
export async function go(
  world: World,
  leg: Leg,
  bag: Bag,
  slices: readonly Slice[],
  enough: () => boolean,
): Promise<void> {
  const { app, tally, machine } = world;
  world.direction = leg === 'back' ? 'rollback_batch' : 'migrate_batch';
  const half = leg === 'half-way' ? (await pendingOf(world.control, app.plan)) / 2 : -1;
  const ways: Way[] = ['callers', 'callers', machine.hasPooler ? 'pooler' : 'callers'];
  const writing = startWriters(world, slices);
  const calling = startCallers(world, ways);
  let struck = 0;
  while (calling.working() && struck < most && !enough() && tally.wrong.length === 0) {
    const fault = bag.next();
    world.fault = fault.name;
    if (await fault.strike(world, bag.chance)) {
      struck++;
      tally.fault(fault.name);
    }
    world.fault = '';
    await delay(bag.chance.below(pauseMs));
    if (half >= 0 && (await pendingOf(world.control, app.plan)) <= half) break;
  }
  if (leg === 'half-way') await calling.stop();
  await writing.stop();
  await calling.stop();
  await until('nobody is at work any more', () => value<boolean>(world.control, idle));
  if (leg !== 'half-way') await callToEnd(world, world.control, 'direct');
  tally.legs++;
  await look(world, leg);
}

/** Compares every row with what it must be. */
async function look(world: World, leg: Leg): Promise<void> {
  const { app, control, model, tally } = world;
  const wrong: string[] = [];
  const { compared, wrong: differing } = await model.differences(control, app.mine);
  wrong.push(...differing);
  if (leg === 'there') wrong.push(...(await app.moved(control, model)));
  if (leg === 'back') wrong.push(...(await app.back(control, model)));
  if (leg !== 'half-way') {
    for (const { entity, kind } of await setAside(control, app.plan)) wrong.push(`${entity} is ${kind}`);
    const check = leg === 'there' ? expectOneRowEach : expectNoTraces;
    await check(control, app.plan).catch((error: Error) => wrong.push(error.message));
  }
  tally.compared += compared;
  tally.wrong.push(...wrong.map((line) => `${app.plan}, ${leg}: ${line}`));
}
