/** How far a rollout is, for people: lines that are drawn in place, and the table at the end. */
import { duration, whole } from '../command/figures.ts';
import { bar, canDraw, Frame } from '../command/frame.ts';
import { labelled, type Row } from '../command/labelled.ts';
import type { Paint } from '../command/printable.ts';
import { lineBreak } from '../command/printable.ts';
import type { Terminal } from '../command/terminal.ts';
import { wrapParts } from '../command/wrap.ts';
import type { FleetProgress } from './progress.ts';

/** In a pipe or a log file one line so often is enough. */
const lineEveryMs = 5_000;

export class Follower {
  readonly #terminal: Terminal;
  readonly #frame: Frame | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    if (canDraw(terminal)) this.#frame = new Frame(terminal);
  }

  show(progress: FleetProgress): void {
    const { members } = progress;
    const ended = members.succeeded + members.failed + members.skipped;
    if (this.#frame) {
      const width = this.#frame.width;
      const share = members.all === 0 ? 0 : (100 * ended) / members.all;
      const parts = [bar(this.#terminal, share, width), ...partsOf(progress)];
      this.#frame.draw(wrapParts(parts, width));
      return;
    }
    if (!this.#terminal.shows('info') || performance.now() - this.#shownAt < lineEveryMs) return;
    this.#shownAt = performance.now();
    this.#terminal.info(
      partsOf(progress)
        .map(({ text }) => text)
        .join(' · '),
    );
  }

  stop(): void {
    this.#frame?.stop();
  }
}

function partsOf(progress: FleetProgress): { text: string }[] {
  const { members, entities } = progress;
  const wave = progress.waves.find(({ number }) => number === progress.wave);
  return [
    ...(progress.waves.length > 1 && wave ? [`wave ${wave.name}${waveNote(wave)}`] : []),
    `${whole(members.succeeded)} of ${whole(members.all)} members`,
    ...(members.working > 0 ? [`${whole(members.working)} at work`] : []),
    ...(members.waiting > 0 ? [`${whole(members.waiting)} waiting`] : []),
    ...(members.failed > 0 ? [`${whole(members.failed)} failed`] : []),
    ...(members.skipped > 0 ? [`${whole(members.skipped)} left alone`] : []),
    ...(progress.kind === 'push' ? [] : [entitiesText(entities)]),
    ...(members.per_minute > 0 ? [`${whole(members.per_minute)} members a minute`] : []),
    ...(entities.eta_seconds ? [`about ${duration(entities.eta_seconds * 1000)} left`] : []),
  ].map((text) => ({ text }));
}

function waveNote({ state, soak_left_seconds: left }: FleetProgress['waves'][number]): string {
  if (state === 'soaking') return ` (soaking, ${duration((left ?? 0) * 1000)} left)`;
  return state === 'checking' ? ' (checking)' : '';
}

function entitiesText({ moved, remaining, is_estimate, per_minute }: FleetProgress['entities']): string {
  const left = remaining == null ? '' : `, ${is_estimate ? 'about ' : ''}${whole(remaining)} left`;
  return `${whole(moved)} moved${left}${per_minute > 0 ? `, ${whole(per_minute)} a minute` : ''}`;
}

/** The table: how it stands, the waves, who is in trouble and why. */
export function table(
  progress: FleetProgress,
  message: string,
  next: readonly string[],
  paint: Paint,
): string[] {
  const { members, entities, waves, failures, troubled, slowest, workers } = progress;
  const alarm = (text: string) => paint.red(text);
  const named = [progress.kind, progress.plan].filter(Boolean).join(' ');
  const rows: Row[] = [
    {
      name: 'Rollout',
      value: `${progress.rollout} · ${named} · ${progress.state}${progress.reason ? ` (${progress.reason})` : ''}`,
    },
    { name: 'Result', value: message },
    {
      name: 'Members',
      value: [
        `${whole(members.succeeded)} of ${whole(members.all)} succeeded`,
        ...(['failed', 'skipped', 'working', 'waiting', 'pending'] as const)
          .filter((state) => members[state] > 0)
          .map((state) => `${whole(members[state])} ${state === 'skipped' ? 'left alone' : state}`),
      ].join(' · '),
    },
    ...(progress.kind === 'push' ? [] : [{ name: 'Entities', value: entitiesText(entities) }]),
    ...(waves.length > 1
      ? [
          {
            name: 'Waves',
            value: waves
              .map(
                (wave) =>
                  `${wave.name}: ${wave.state}${waveNote(wave)}, ${whole(wave.succeeded)} of ${whole(wave.members)}`,
              )
              .join(lineBreak),
          },
        ]
      : []),
    { name: 'Time', value: duration(progress.seconds * 1000) },
    ...(workers.length > 0 && progress.state === 'running'
      ? [
          {
            name: 'Workers',
            value: `${whole(workers.length)} alive, ${whole(workers.reduce((sum, { working }) => sum + working, 0))} members at work`,
          },
        ]
      : []),
    ...(failures.length > 0
      ? [
          {
            name: 'Reasons',
            value: failures
              .map(
                ({ code, found, reason, state }) =>
                  `${whole(found)} ${state === 'skipped' ? 'left alone' : state} · ${[code, reason].filter(Boolean).join(': ')}`,
              )
              .join(lineBreak),
            paint: alarm,
          },
        ]
      : []),
    ...(troubled.length > 0
      ? [
          {
            name: 'Who',
            value: troubled
              .map(
                ({ member, state, code, reason }) =>
                  `${member} · ${state === 'skipped' ? 'left alone' : state} · ${[code, reason].filter(Boolean).join(': ')}`,
              )
              .join(lineBreak),
          },
        ]
      : []),
    ...(slowest.length > 0
      ? [
          {
            name: 'Longest',
            value: slowest
              .map(
                ({ member, moved, seconds }) =>
                  `${member} · ${whole(moved)} moved · ${duration(seconds * 1000)}`,
              )
              .join(lineBreak),
          },
        ]
      : []),
    ...next.map((value, i) => ({ name: i === 0 ? 'Next' : '', value })),
  ];
  return labelled(rows, paint.bold);
}
