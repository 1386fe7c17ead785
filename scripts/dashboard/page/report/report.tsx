/** The page of `validate --report`: what was checked, for somebody who was not there. It is made of the parts of the dashboard. */
import { createHash } from 'node:crypto';
import type {
  HistoryRun,
  RunHistory,
  Severity,
  ValidationAnswer,
} from '../../../../functions/_shared/validation.ts';
import type { Words } from '../../../../functions/_shared/words.ts';
import { counted, duration, objectText, whole } from '../../../command/figures.ts';
import type { Purpose } from '../../../validate/checks.ts';
import type { Report } from '../../../validate/report/report.ts';
import { directionText, runMs, runText, stateText, timeText } from '../../../validate/report/runs.ts';
import { broken, checksText, findings, phaseText, rowsText, severities } from '../../../validate/words.ts';
import pageStyle from '../style.css?inline';
import { CheckCard } from '../views/check-card.tsx';
import { type Fact, Facts } from '../views/facts.tsx';
import { Far } from '../views/far.tsx';
import { RunPicture } from '../views/run-picture.tsx';
import { markup } from './markup.ts';
import reportStyle from './report.css?inline';

const style = `${pageStyle}\n${reportStyle}`;
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`;

/** So many runs get a picture, the newest first; all of them are in the table. */
const pictures = 4;

/** The page as one HTML document without a script, and without anything that is elsewhere. */
export function page(report: Report): string {
  return `<!doctype html>\n${markup(<Document {...report} />)}\n`;
}

function Document(report: Report) {
  const { plan, message, tone, next, answer, history } = report;
  const heading = `Validation of the migration ${plan}`;
  const { progress } = answer;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${heading}: ${message.join(' ')}`}</title>
        <style>{style}</style>
      </head>
      <body>
        <main class="report">
          <h1>{heading}</h1>
          <div class={`verdict ${tone}`}>
            {message.map((line) => (
              <p key={line}>{line}</p>
            ))}
          </div>
          {next.length > 0 && (
            <ul class="next">
              {next.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          )}
          {progress && <Far counts={progress} words={progress} isBack={progress.direction === 'rollback'} />}
          <Facts facts={particulars(report)} />
          <Undone answer={answer} />
          <Found {...report} />
          <Measured answer={answer} />
          <Clean answer={answer} />
          <Runs {...history} />
          <Glossary {...history} />
          <footer>
            <p>
              This page holds names of checks and tables, keys and counts, and no other data. It needs no
              network.
            </p>
          </footer>
        </main>
      </body>
    </html>
  );
}

function particulars({ plan, database, startedAt, durationMs, answer, purpose }: Report): Fact[] {
  const failed = answer.fixes_failed > 0 ? `, ${counted(answer.fixes_failed, 'fix', 'fixes')} failed` : '';
  const fixes: Record<Purpose, string | undefined> = {
    check: undefined,
    preview: 'tried and taken back: nothing was changed',
    fix: `${counted(answer.fixed, 'finding')} fixed${failed}`,
  };
  const facts: Fact[] = [
    ['Checked', `${timeText(startedAt)}, in ${duration(durationMs)}`],
    ['Database', database],
    ['Plan', <code key="plan">{plan}</code>],
    ['When', phaseText(answer)],
    ['Checks', [checksText(answer), rowsText(answer)].filter(Boolean).join(', ')],
    ['Fixes', fixes[purpose]],
  ];
  return facts.filter(([, value]) => value !== undefined);
}

/** A check that could not be done comes first: nobody knows what it would have found. */
function Undone({ answer }: { answer: ValidationAnswer }) {
  const checks = broken(answer);
  if (checks.length === 0) return null;
  return (
    <section>
      <h2>Could not be done</h2>
      {checks.map((check) => (
        <CheckCard key={check.name} check={check} purpose="check" />
      ))}
    </section>
  );
}

const severityTexts: Record<Severity, string> = {
  error: 'Errors: the data is not as the migration promises.',
  warning: 'Warnings: nothing is broken, but it should be known or fixed.',
  manual: 'To look at: only a person can decide what is right. Imago never changes these by itself.',
};

function Found({ answer, purpose }: Report) {
  const all = findings(answer);
  return (
    <section>
      <h2>Findings</h2>
      {all.length === 0 && <p>None.</p>}
      {severities.map((severity) => {
        const checks = all.filter((check) => check.severity === severity);
        if (checks.length === 0) return null;
        return (
          <>
            <p>{severityTexts[severity]}</p>
            {checks.map((check) => (
              <CheckCard key={check.name} check={check} purpose={purpose} isOpen />
            ))}
          </>
        );
      })}
    </section>
  );
}

function Measured({ answer }: { answer: ValidationAnswer }) {
  const facts = answer.checks.flatMap(({ name, facts: known }): Fact[] => {
    const text = objectText(known);
    return text ? [[name, text]] : [];
  });
  if (facts.length === 0) return null;
  return (
    <section>
      <h2>Figures</h2>
      <Facts facts={facts} />
    </section>
  );
}

function Clean({ answer }: { answer: ValidationAnswer }) {
  const checks = answer.checks.filter((check) => check.found === 0 && check.applicable && !check.error);
  const without = answer.checks.filter((check) => !check.applicable);
  return (
    <section>
      <h2>Found nothing</h2>
      <p class="muted">{counted(checks.length, 'check')} without a finding, and what one would have meant:</p>
      <Facts facts={checks.map(({ name, meaning }) => [name, meaning])} />
      {without.length > 0 && (
        <p>
          Left out, because this app lacks the tables or columns: {without.map(({ name }) => name).join(', ')}
          .
        </p>
      )}
    </section>
  );
}

function Runs({ runs, ...words }: RunHistory) {
  const newest = runs.toSorted((a, b) => Number(b.run) - Number(a.run));
  const drawn = newest.filter(({ points }) => points.length > 0).slice(0, pictures);
  if (runs.length === 0) {
    return (
      <section>
        <h2>Runs</h2>
        <p>None yet: the migration has not been started.</p>
      </section>
    );
  }
  return (
    <section>
      <h2>Runs</h2>
      <div class="scroll">
        <table>
          <caption>{counted(runs.length, 'run')}, the newest first</caption>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Direction</th>
              <th scope="col">Started</th>
              <th scope="col">Took</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Moved
              </th>
              <th scope="col" class="number">
                Set aside
              </th>
            </tr>
          </thead>
          <tbody>
            {newest.map((run) => (
              <RunRow key={String(run.run)} run={run} />
            ))}
          </tbody>
        </table>
      </div>
      {drawn.map((run) => (
        <figure key={String(run.run)}>
          <figcaption>{runText(run, words)}</figcaption>
          <div class="scroll">
            <RunPicture run={run} words={words} />
          </div>
        </figure>
      ))}
    </section>
  );
}

function RunRow({ run }: { run: HistoryRun }) {
  const ms = runMs(run);
  return (
    <tr>
      <th scope="row">{run.run}</th>
      <td>{directionText(run)}</td>
      <td>{timeText(run.started_at)}</td>
      <td>{ms === undefined ? '–' : duration(ms)}</td>
      <td>{stateText(run)}</td>
      <td class="number">{whole(run.moved)}</td>
      <td class="number">{whole(run.failed)}</td>
    </tr>
  );
}

function Glossary({ entity_plural }: Words) {
  return (
    <section>
      <h2>Words</h2>
      <Facts
        facts={[
          ['plan', 'one data migration: which table it walks, which tables it writes, and how'],
          ['run', 'one execution of a plan in one direction, forward or rollback'],
          ['sub-batch', `the ${entity_plural} that are moved together, whole or not at all`],
          [
            'set aside',
            `of the ${entity_plural}: could not be moved, while the others were, and can be tried again`,
          ],
          ['check', 'a question to the database that counts what is wrong'],
          ['key', 'the primary key of a row that a finding is about'],
          ['fix', 'what --fix-issues does about a finding; a rollback takes it back like anything else'],
        ]}
      />
    </section>
  );
}
