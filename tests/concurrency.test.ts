import { test } from 'vitest';

test.todo('many callers at once');
