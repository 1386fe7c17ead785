/** Entries of edge functions in the config.toml of somebody else: added and taken away, and nothing else of it changed. */
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { configuredFunctions, withFunctions, withoutFunctions } from '../../scripts/install/config.ts';

const names = ['migrate', 'validate'];

describe('a config.toml', () => {
  test.each([
    ['a table', '[functions.a]\nb = 1'],
    ['a quoted table', '[functions."a"]\nb = 1'],
    ['a table with spaces and a remark', ' [ functions . a ] # [functions.c]\nb = 1'],
    ['a table below it', '[functions.a.env]\nb = "1"'],
    ['a dotted key', 'functions.a.b = 1'],
    ['a dotted key in a table', '[functions]\na.b = 1'],
    ['an inline table', 'functions = { a = { b = 1 } }'],
    ['a key with an escape', '[functions]\n"\\u0061" = {}'],
    [
      'several lines of text that look like tables',
      'x = """\n[functions.c]\n"""\n[functions.a]\nb = """\n[functions.d]"""',
    ],
  ])('that names a function in %s has that one and no other', (_, text) => {
    expect([...configuredFunctions(text)]).toEqual(['a']);
  });

  test.each([
    ['nothing', ''],
    ['a last line without an end', '[db]\nport = 1'],
    ['an empty table of functions', '[functions]\n'],
    ['functions by dotted keys', 'functions.a.b = 1\n'],
    ['dates, lists and numbers', 'a = 1979-05-27T07:32:00Z\nb = [1, 2.5, "x"]\n[[c]]\nd = 0x10\n'],
    ['text that ends like an entry', 'a = """\n[functions.migrate]\nverify_jwt = false\n"""\n'],
  ])('with %s means the same with the entries besides, and is itself again without them', (_, text) => {
    const after = withFunctions(text, names);
    expect(after.startsWith(text)).toBe(true);
    const { functions, ...others } = parse(after);
    const { functions: before = {}, ...unchanged } = parse(text);
    expect(others).toEqual(unchanged);
    expect(Object.keys(functions as object)).toEqual([...Object.keys(before), ...names]);
    expect(withoutFunctions(after, names).trimEnd()).toBe(text.trimEnd());
  });

  test('keeps an entry to which its owner has added something', () => {
    const added = `${withFunctions('[db]\nport = 1\n', names)}env = { A = "1" }\n`;
    const left = withoutFunctions(added, names);
    expect(parse(left)).toEqual({
      db: { port: 1 },
      functions: { validate: expect.objectContaining({ env: { A: '1' } }) },
    });
    expect(left).toContain('# Imago');
  });

  test('keeps text in which an entry is quoted', () => {
    const [, entry = ''] = withFunctions('', ['migrate']).split('\n\n');
    const quoted = `a = """\n\n${entry}"""\n`;
    expect(withoutFunctions(quoted, ['migrate'])).toBe(quoted);
  });

  test.each([
    ['functions as one value', 'functions = { a = {} }\n'],
    ['functions as a list', '[[functions]]\na = 1\n'],
    ['functions as a number', 'functions = 1\n'],
  ])('with %s is refused', (_, text) => {
    expect(() => withFunctions(text, names)).toThrow(expect.objectContaining({ code: 'config-form' }));
  });

  test('that is not TOML is refused with its line, and what stands there is not repeated', () => {
    const text = 'a = 1\n[db]\npassword = hunter2\n';
    const refused = expect.objectContaining({
      code: 'config-broken',
      message: expect.stringMatching(/^(?!.*hunter2).*line 3: /),
    });
    expect(() => configuredFunctions(text)).toThrow(refused);
    expect(() => withoutFunctions(text, names)).toThrow(refused);
  });
});
