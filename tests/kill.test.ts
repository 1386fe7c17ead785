import { test } from 'vitest';

test.todo('killed callers and servers');
