/** The guide's names for figures speak of users: machines get them where the guide has them, in the plan that it is about. */
import { guideNames } from '../../functions/_shared/words.ts';

export const planOfTheGuide = 'avatars';

/** An answer for `--json`: of every other plan with the neutral names alone. */
export function withoutGuideNames(plan: string, answer: object | undefined): object | undefined {
  if (plan === planOfTheGuide || !answer) return answer;
  return Object.fromEntries(Object.entries(answer).filter(([name]) => !guideNames.has(name)));
}
