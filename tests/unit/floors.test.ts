import { describe, expect, test } from 'vitest';
import { filesBelow, read } from '../../scripts/docs/folder.ts';
import { apiFunctions, engineFunctions, namesIn, type SqlFunction } from '../../scripts/docs/functions.ts';
import { floors } from '../../scripts/docs/map.ts';
import { firstSentence } from '../../scripts/docs/markdown.ts';
import { listItems, literalAt } from '../../scripts/docs/sql.ts';
import { readTables } from '../../scripts/docs/tables.ts';
import { mark } from '../../scripts/plan/promised.ts';

/** The floors of the engine (sql/engine/functions/floors.json): what lies below calls nothing above. */

const engine = engineFunctions();
const order = [...floors().keys()];

const texted = (file: string) => ({ name: file, text: read(file) });

/** Calls that go up, by name in the text, in strings as well: SQL is made of these. */
function upwardCalls(functions: readonly SqlFunction[]): string[] {
  const floorOf = new Map(functions.map(({ name, place }) => [name, order.indexOf(place)]));
  return functions.flatMap(({ name, place, text }) =>
    namesIn(text, 'imago')
      .filter((called) => (floorOf.get(called) ?? 0) > order.indexOf(place))
      .map((called) => `${place}/${name} calls ${called}`),
  );
}

describe('the engine', () => {
  test('has a floor for each folder, and a folder for each floor', () => {
    expect([...new Set(engine.map(({ place }) => place))].toSorted()).toEqual(order.toSorted());
  });

  test('has no function that calls one of a higher floor, so that folders form no circle', () => {
    expect(engine.length).toBeGreaterThan(250);
    expect(upwardCalls(engine)).toEqual([]);
  });

  test('is caught calling upwards, in a string too, and not for a comment', () => {
    const [low] = engine.filter(({ place }) => place === 'catalog');
    if (!low) throw new Error('nothing lies on the ground floor');
    const planted = (text: string) => upwardCalls([{ ...low, text }, ...engine.filter((one) => one !== low)]);
    expect(planted("execute 'select imago.work_run(1, 2)';")).toEqual([`catalog/${low.name} calls work_run`]);
    expect(planted('-- as imago.work_run does it')).toEqual([]);
  });

  test('calls nothing of the API', () => {
    const api = new Set(apiFunctions().map(({ name }) => name));
    const calls = engine.flatMap(({ place, name, text }) =>
      namesIn(text, 'public')
        .filter((called) => api.has(called))
        .map((called) => `${place}/${name} calls public.${called}`),
    );
    expect(calls).toEqual([]);
  });

  test('has no function that nobody calls', () => {
    const texts = [
      ...engine.map(({ name, text }) => ({ name, text })),
      ...['sql/api', 'sql/plans', 'sql/engine/tables']
        .flatMap((folder) => filesBelow(folder, '.sql'))
        .map(texted),
      ...filesBelow('scripts', '.ts').map(texted),
      // A whole plan stands there, and is run by a test; what follows are lists of all functions.
      { name: '', text: read('docs/write-a-plan.md').split('<!-- begin contract')[0] ?? '' },
    ];
    const called = new Set(
      texts.flatMap(({ name, text }) => namesIn(text, 'imago').filter((other) => other !== name)),
    );
    expect(called.size).toBeGreaterThan(250);
    // What is for plans may be called by those of other people alone.
    const own = engine.filter(({ comment }) => !comment.startsWith(mark));
    expect(own.filter(({ name }) => !called.has(name)).map(({ name }) => name)).toEqual([]);
  });

  test('has no argument that nobody reads', () => {
    const unread = engine.flatMap(({ place, name, arguments: list, text }) => {
      const behind = text.slice(text.indexOf('\nlanguage '));
      return (
        listItems(list)
          .map((item) => item.replace(/^(variadic|inout) /, ''))
          .filter((item) => item !== '' && !item.startsWith('out '))
          .map((item) => item.split(' ')[0] ?? '')
          .filter((argument) => !new RegExp(`\\b${argument}\\b`).test(behind))
          // imago.plan_check names them, and each is called with the plan.
          .filter((argument) => !(place === 'environment' && argument === 'plan'))
          .map((argument) => `${name}(${argument})`)
      );
    });
    expect(unread).toEqual([]);
  });

  test('has no column that nobody but its table names', () => {
    const texts = [...filesBelow('sql', '.sql'), ...filesBelow('scripts', '.ts')].map(texted);
    const unnamed = readTables().flatMap(({ name, columns }) =>
      columns
        .filter((column) => {
          const named = new RegExp(`\\b${column.name}\\b`);
          return !texts.some(
            ({ name: file, text }) => !file.endsWith(`tables/${name}.sql`) && named.test(text),
          );
        })
        .map((column) => `${name}.${column.name}`),
    );
    expect(unnamed).toEqual([]);
  });

  test('calls check_ what checks, expect_ what raises, and _problems what lists', () => {
    const named = (pattern: RegExp) => engine.filter(({ name }) => pattern.test(name));
    // The end of a run asks the checks of its plan; the SQL of a check is check_sql.
    const checks = named(/^check_/).filter(({ name }) => !['check_end_of_run', 'check_sql'].includes(name));
    expect(checks.filter(({ place }) => place !== 'environment').map(({ name }) => name)).toEqual([]);
    const silent = named(/^expect_/).filter(({ text }) => !/\braise\b|raise_|\bexpect_\w+\(/.test(text));
    expect(silent.map(({ name }) => name)).toEqual([]);
    const listless = named(/(?<!^expect_no)_problems$/).filter(
      ({ returns }) => !/^(setof|table|jsonb)\b/.test(returns),
    );
    expect(listless.map(({ name }) => name)).toEqual([]);
  });

  test('says what each object is in a first sentence of at most 120 characters', () => {
    const long = [...filesBelow('sql/engine', '.sql'), ...filesBelow('sql/api', '.sql')].flatMap((file) => {
      const source = read(file);
      return [...source.matchAll(/^comment on (.+?) is (?=')/gm)]
        .map((found) => ({ of: found[1], said: literalAt(source, found.index + found[0].length) }))
        .filter(({ said }) => said === '' || firstSentence(said).length > 120)
        .map(({ of, said }) => `${of}: ${firstSentence(said)}`);
    });
    expect(long).toEqual([]);
  });
});

test('the API is one call into the engine each, as its owner and with an empty search_path', () => {
  const wrong = apiFunctions().filter(({ text }) => {
    const [head = '', body = ''] = text.split(/\nas \$\$\n/);
    const thin =
      /^begin\n {2}return imago\.\w+\([^;]*\);\nend\n\$\$;$/.test(body.trim()) ||
      /^select (imago|jsonb_build_object)\b[^;]*\)\n\$\$;$/.test(body.trim());
    return !thin || /\bfrom\b/.test(body) || !/\nsecurity definer\nset search_path = ''$/.test(head);
  });
  expect(apiFunctions().length).toBeGreaterThan(20);
  expect(wrong.map(({ name }) => name)).toEqual([]);
});
