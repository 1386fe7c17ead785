/** How many users are left to be moved. */
import type { ProgressAnswer } from '../../functions/_shared/answers.ts';

/**
 * Users that a batch would still move: neither migrated nor set aside nor held. Counted so, and not by `pending_users`
 * alone, because a user who is set aside is still pending as far as his rows go.
 */
export function usersLeft(progress: ProgressAnswer): number {
  const { total_users, migrated_users, failed_users, held_users } = progress;
  return Math.max(0, total_users - migrated_users - failed_users - held_users);
}
