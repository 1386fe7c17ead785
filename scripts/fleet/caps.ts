/** The most members of one server that a rollout may work at the same time. */
export const largestCap = 100;
