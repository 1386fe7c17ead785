/** Members of a rollout: by state, by wave, the slowest, those in trouble; and who works them. */
import { counted, duration, whole } from '../../../command/figures.ts';
import type { FleetProgress } from '../../../fleet/progress.ts';
import { Bar } from '../views/bar.tsx';
import { sentence } from '../words.ts';
import { whyNotNow } from './acts.ts';
import { openFleetDialog } from './dialog.tsx';
import { type MemberState, memberStates, memberWords, usualAdvice, waveText } from './words.ts';

/** All members as one bar, with the figures beside it. */
export function StateBar({ members }: { members: FleetProgress['members'] }) {
  const some = memberStates.filter((state) => members[state] > 0);
  const text = (state: MemberState): string => `${whole(members[state])} ${memberWords[state]}`;
  let at = 0;
  return (
    <>
      <svg
        class="states"
        viewBox="0 0 100 1"
        preserveAspectRatio="none"
        role="img"
        aria-label={some.map(text).join(', ')}
      >
        {some.map((state) => {
          const x = at;
          const width = (100 * members[state]) / members.all;
          at += width;
          return <rect key={state} class={state} x={x} width={width} height="1" />;
        })}
      </svg>
      <ul class="legend">
        {some.map((state) => (
          <li key={state} class={state}>
            {text(state)}
          </li>
        ))}
      </ul>
    </>
  );
}

/** One after the other, with a gate between. */
export function Waves({ now: { waves } }: { now: FleetProgress }) {
  return (
    <section class="stack">
      <h2>Waves</h2>
      <ul class="bars">
        {waves.map((wave) => {
          const ended = wave.succeeded + wave.failed + wave.skipped;
          return (
            <li key={wave.number}>
              <span>
                {wave.number}. {wave.name}{' '}
                <span class={wave.state === 'stopped' || wave.state === 'failed' ? 'bad' : 'muted'}>
                  · {waveText(wave, wave.number === waves.length)}
                </span>
              </span>
              <Bar
                label={`Wave ${wave.number}, ${wave.name}: members that have ended`}
                part={ended}
                whole={wave.members}
              />
              <span class="number">
                {whole(wave.succeeded)} of {whole(wave.members)}
                {wave.failed > 0 && ` · ${whole(wave.failed)} failed`}
                {wave.skipped > 0 && ` · ${whole(wave.skipped)} left alone`}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Who failed, was left alone or waits, why, and what to do about it. */
export function Troubled({ now }: { now: FleetProgress }) {
  const { troubled, members, failures } = now;
  if (troubled.length === 0) return null;
  const all = members.failed + members.skipped + members.waiting;
  return (
    <section class="stack">
      <h2>
        In trouble{' '}
        {troubled.length < all && (
          <span class="muted">
            · {troubled.length} of {whole(all)}
          </span>
        )}
      </h2>
      {troubled.length < all && (
        <ul class="legend">
          {failures.map(({ code, state, found }) => (
            <li key={`${code} ${state}`} class={state}>
              {whole(found)} {memberWords[state]}: {code}
            </li>
          ))}
        </ul>
      )}
      {troubled.map(({ member, wave, state, code, reason, hint, tries }) => (
        <article key={member} class={`card ${tones[state] ?? ''}`}>
          <header>
            <h3>{member}</h3>
            <span class="muted">
              {memberWords[state]} · wave {wave}
              {code && ` · ${code}`}
              {tries > 1 && ` · ${counted(tries, 'try', 'tries')}`}
            </span>
            {state !== 'waiting' && (
              <button
                type="button"
                class="small found"
                aria-label={`Retry ${member} …`}
                aria-disabled={whyNotNow('retry', now) !== undefined}
                title={whyNotNow('retry', now)}
                onClick={() => whyNotNow('retry', now) === undefined && openFleetDialog('retry', now, member)}
              >
                Retry …
              </button>
            )}
          </header>
          {reason && <p>{sentence(reason)}</p>}
          <p class="muted">{hint ? sentence(hint) : usualAdvice[state]}</p>
        </article>
      ))}
    </section>
  );
}

const tones: Partial<Record<MemberState, string>> = { failed: 'failed', waiting: 'warning' };

/** Who has been at work the longest. */
export function Slowest({ now: { slowest, kind } }: { now: FleetProgress }) {
  if (slowest.length === 0) return null;
  return (
    <section class="stack">
      <h2>At work the longest</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the page is reached by the keyboard */}
      <section class="scroll" aria-label="At work the longest" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Member</th>
              <th scope="col">For</th>
              {kind !== 'push' && (
                <>
                  <th scope="col">Moved</th>
                  <th scope="col">Remaining</th>
                  <th scope="col">A minute</th>
                </>
              )}
            </tr>
          </thead>
          <tbody>
            {slowest.map(({ member, state, moved, remaining, per_minute, seconds }) => (
              <tr key={member}>
                <th scope="row">
                  {member}
                  {state === 'waiting' && <span class="muted"> · waiting</span>}
                </th>
                <td>{duration(seconds * 1000)}</td>
                {kind !== 'push' && (
                  <>
                    <td>{whole(moved)}</td>
                    <td>{remaining == null ? '–' : whole(remaining)}</td>
                    <td>{per_minute == null ? '–' : whole(per_minute)}</td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

export function Workers({ now: { workers } }: { now: FleetProgress }) {
  return (
    <section class="stack">
      <h2>Workers</h2>
      {workers.length === 0 ? (
        <p>
          None is alive. Start one, here or on another machine: <code>npx --no imago fleet worker</code>
        </p>
      ) : (
        <ul class="bars">
          {workers.map(({ name, slots, working }, i) => (
            <li key={`${name} ${i}`}>
              <span>{name}</span>
              <Bar label={`Worker ${name}: members at work`} part={working} whole={slots} />
              <span class="number">
                {whole(working)} of {counted(slots, 'slot')} at work
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
