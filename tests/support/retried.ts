/** Names every test that passed only at a second try, at the end of a run, and fails the run when they are too many. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** One or two are a busy machine; more are a fault that a second try hides. */
export const MOST_RETRIED = 2;

/** What the reporter looks at of a test. */
export interface TriedTest {
  /** File, describes and title. */
  name: string;
  retries: number;
  /** What the tries before the last one failed by, a line each. */
  reasons: readonly string[];
}

/** What is said at the end of a run, and whether it fails for it; undefined when nothing was tried again. */
export function verdict(tests: readonly TriedTest[]): { text: string; fails: boolean } | undefined {
  const retried = tests.filter(({ retries }) => retries > 0);
  if (retried.length === 0) return undefined;
  const fails = retried.length > MOST_RETRIED;
  const count = retried.length === 1 ? '1 test was' : `${retried.length} tests were`;
  const lines = [
    `${count} tried again${fails ? `, more than ${MOST_RETRIED}: the run fails` : ''}:`,
    ...retried.flatMap(({ name, retries, reasons }) => [
      `  ${name} (${retries === 1 ? 'once' : `${retries} times`})`,
      ...reasons.map((reason) => `    ${reason}`),
    ]),
  ];
  return { text: lines.join('\n'), fails };
}

export default class RetriedTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const said = verdict(modules.flatMap((module) => [...module.children.allTests()].map(tried)));
    if (!said) return;
    console.error(`\n${said.text}`);
    if (said.fails) process.exitCode = 1;
  }
}

function tried(test: TestCase): TriedTest {
  return {
    name: `${test.module.relativeModuleId} > ${test.fullName}`,
    retries: test.diagnostic()?.retryCount ?? 0,
    reasons: (test.result().errors ?? []).map(({ message, diff }) =>
      `${message}\n${diff ?? ''}`.trim().replaceAll('\n', '\n    '),
    ),
  };
}
