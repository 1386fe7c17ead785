/** The log, the newest line first, by level and by words. */
import { useState } from 'preact/hooks';
import { z } from 'zod';
import { objectText } from '../../../command/figures.ts';
import { log, logLevel, look } from '../state.ts';
import { moment } from '../words.ts';

const levels = ['info', 'warning', 'error'] as const;

export function LogPanel() {
  const [words, setWords] = useState('');
  const lines = (log.value?.lines ?? []).map((line) => ({ ...line, text: textOf(line.detail) }));
  const wanted = words.toLowerCase();
  const shown = lines.filter((line) =>
    [line.event, line.entity, line.sqlstate, line.text].join(' ').toLowerCase().includes(wanted),
  );
  return (
    <>
      <div class="filter">
        <label>
          Level
          <select
            value={logLevel.value}
            onInput={({ currentTarget }) => {
              logLevel.value = currentTarget.value as (typeof levels)[number];
              look();
            }}
          >
            <option value="info">all</option>
            <option value="warning">warnings and errors</option>
            <option value="error">errors</option>
          </select>
        </label>
        <label>
          Filter
          <input
            type="search"
            value={words}
            placeholder="event, key or code"
            onInput={({ currentTarget }) => setWords(currentTarget.value)}
          />
        </label>
      </div>
      <p class="muted">
        {shown.length} of the newest {lines.length} lines. The whole is in the view <code>migration_log</code>
        .
      </p>
      {lines.length === 0 && log.value && <p>Nothing of this level has happened.</p>}
      <ol class="log">
        {shown.map((line, index) => (
          <li key={`${line.created_at} ${line.event} ${index}`} class={line.level}>
            <time dateTime={line.created_at}>{moment(line.created_at)}</time>
            <span class="event">
              {line.event}
              {line.sqlstate && ` ${line.sqlstate}`}
            </span>
            <span class="detail">
              {line.entity && <code>{line.entity}</code>} {line.text}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

const detailed = z.looseObject({
  /** Of the governor: what it has seen. */
  reasons: z.array(z.looseObject({ signal: z.string(), name: z.string().nullish() })).optional(),
});

function textOf(detail: unknown): string {
  const { data } = detailed.safeParse(detail);
  if (!data) return '';
  const reasons = data.reasons?.map(({ signal, name }) => [signal, name].filter(Boolean).join(' ')) ?? [];
  return [objectText(data), reasons.length > 0 && `for ${reasons.join(', ')}`].filter(Boolean).join(' · ');
}
