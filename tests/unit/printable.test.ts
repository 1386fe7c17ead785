/** What reaches a terminal: text of ours with its colours, and of everybody else's text nothing that acts. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { CallError } from '../../scripts/call-error.ts';
import { indented, lineBreak, newPaint, plain, printable, shown } from '../../scripts/command/printable.ts';
import { fail, refuse } from '../../scripts/command/refuse.ts';
import { writeLine, writeText } from '../../scripts/command/streams.ts';
import { Terminal } from '../../scripts/command/terminal.ts';
import { UsageError } from '../../scripts/command/usage.ts';
import { markup } from '../../scripts/dashboard/page/report/markup.ts';
import { packageFolder } from '../../scripts/package.ts';
import { fakeTerminal } from '../support/figures.ts';
import { harmful, hostile, withoutOurs } from '../support/hostile.ts';

const { red } = newPaint(true);

describe('text from outside', () => {
  test.each([
    ['escapes', 'a\u001b[2Jb', 'a\ufffd[2Jb'],
    ['C1 control characters', 'a\u009b2Jb', 'a\ufffd2Jb'],
    ['line breaks and tabs', 'a\r\n\tb', 'a\ufffd\ufffd\ufffdb'],
    ['separators of lines', 'a\u2028b\u2029c', 'a\ufffdb\ufffdc'],
    ['marks that turn the direction', 'a\u202eb\u2066c\u200fd', 'a\ufffdb\ufffdc\ufffdd'],
    ['half pairs', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    ['characters that nobody sees', 'a\u200bb\u{e0041}c\ufeff', 'a\ufffdb\ufffdc\ufffd'],
    ['letters that are drawn as nothing', 'a\u3164b\u115fc\uffa0d\u2800', 'a\ufffdb\ufffdc\ufffdd\ufffd'],
    ['joiners where nothing is joined', 'ad\u200cmin \u200dé\u200c', 'ad\ufffdmin \ufffdé\ufffd'],
    ['selectors where there is nothing to choose', 'user1\ufe0f a\u{e0100}', 'user1\ufffd a\ufffd'],
    [
      'joiners and selectors behind one',
      '👩\u200d\u200d می\u200c\u200c ☺\ufe0e\ufe0e',
      '👩\u200d\ufffd می\u200c\ufffd ☺\ufe0e\ufffd',
    ],
  ])('loses %s', (_, text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  test.each([
    'Zoë 用户 👩‍🚀 می‌خواهم',
    '❤\ufe0f 1\ufe0f\u20e3 👨🏽\u200d💻 🏳\ufe0f\u200d🌈 葛\u{e0100} क्\u200dष',
    'a\u00a0b',
    '"quoted" \\n <b>',
  ])('keeps what words need: %s', (text) => {
    expect(printable(text)).toBe(text);
  });

  test('keeps no colours, not even those of ours that it guesses at', () => {
    expect(shown(`${red('ours')} \u001b[31mtheirs\u001b[1234;5678;9012;31m`)).toBe(
      '\u001b[31mours\u001b[39m \ufffd[31mtheirs\ufffd[1234;5678;9012;31m',
    );
    expect(withoutOurs(shown(red(`of theirs: ${hostile}`)))).not.toMatch(harmful);
  });

  test('begins no line; only our own marks do', () => {
    expect(shown(`one${lineBreak}two\nthree`)).toBe('one\ntwo\ufffdthree');
  });

  test('of another program has its lines set in below the first', () => {
    expect(shown(indented('failed:\nResult: forged\n'))).toBe('failed:\n  Result: forged');
  });
});

describe('what prints', () => {
  function written(stream: 'stdout' | 'stderr', work: () => void): string {
    const write = vi.spyOn(process[stream], 'write').mockReturnValue(true);
    try {
      work();
      return write.mock.calls.map(([text]) => String(text)).join('');
    } finally {
      write.mockRestore();
    }
  }

  test('lines on stdout are one line each', () => {
    expect(written('stdout', () => writeText('first', hostile, 'last'))).not.toMatch(harmful);
    expect(written('stdout', () => writeText('first', hostile)).split('\n')).toHaveLength(3);
  });

  test.each(['info', 'warn', 'error', 'show'] as const)('terminal.%s is one line', (level) => {
    const text = written('stderr', () => new Terminal('info')[level](`a ${hostile}`));
    expect(text).not.toMatch(harmful);
    expect(text.split('\n')).toHaveLength(2);
  });

  test('of wrong usage a hint may have more lines, which are set in; of a failure it is one line', () => {
    const hint = 'Do this\nResult: forged';
    expect(written('stderr', () => refuse(new UsageError('No.', hint), []))).toBe(
      'No.\nDo this\n  Result: forged\n',
    );
    const failure = new CallError({ code: 'HTTP', message: 'No.', hint });
    expect(written('stderr', () => fail(failure, new Terminal('info'), false))).toBe(
      'No.\nDo this\ufffdResult: forged\n',
    );
  });

  test('JSON has the very text, escaped, and no marks of ours', () => {
    const line = written('stdout', () =>
      writeLine({ text: hostile, message: `${red('red')}${lineBreak}next` }),
    );
    expect(line.trimEnd()).not.toMatch(harmful);
    expect(line.split('\n')).toHaveLength(2);
    expect(JSON.parse(line)).toEqual({ text: hostile, message: 'red\nnext' });
  });

  test('the page of a report', () => {
    const paragraph = (title: string, children: unknown) => ({ type: 'p', props: { title, children } });
    expect(markup(paragraph(hostile, hostile))).not.toMatch(harmful);
    const lineEnd = { type: 'br', props: {} };
    expect(markup(paragraph('"<', ['<b>', 1, false, lineEnd]))).toBe(
      '<p title="&quot;&lt;">&lt;b&gt;1<br></p>',
    );
  });

  test('lines that are drawn in place', async () => {
    const { Frame } = await import('../../scripts/command/frame.ts');
    const { terminal, frames } = fakeTerminal(80);
    const frame = new Frame(terminal);
    frame.draw([terminal.paint.red(`waiting: ${hostile}`)]);
    frame.stop();
    expect(frames()).toHaveLength(1);
    expect(withoutOurs(frames().join(''))).not.toMatch(harmful);
  });

  test('nothing else does: every other module goes through these', () => {
    const mayWrite = new Set(['command/streams.ts', 'command/terminal.ts', 'command/frame.ts', 'imago.ts']);
    // What these say goes into log files; the last ones are run by who works on Imago.
    const others = /^(embedded\/|docs\/|build-|check-release|gen-types|lint-sql)/;
    const folder = path.join(packageFolder, 'scripts');
    const writers = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (file) =>
        file.endsWith('.ts') &&
        !others.test(file) &&
        !mayWrite.has(file) &&
        /\b(stdout|stderr|stream)\.write\(|\bconsole\.\w+\(|output: process\./.test(
          readFileSync(path.join(folder, file), 'utf8'),
        ),
    );
    expect(writers).toEqual([]);
  });
});

test('what a program is given of a text with marks is the text', () => {
  expect(plain(`${red('a\u001b')}${lineBreak}b`)).toBe('a\u001b\nb');
});
