create or replace function imago.guide_names(answer jsonb, guide_pending text default 'pending_users')
returns jsonb
language sql
immutable
set search_path = ''
as $$
  select answer || coalesce(jsonb_object_agg(n.guide, answer -> n.neutral), '{}')
  from (values
    ('total', 'total_users'), ('migrated', 'migrated_users'), ('failed', 'failed_users'), ('held', 'held_users'),
    ('percentage', 'migration_completion_percentage'), ('per_minute', 'users_per_minute'),
    ('per_minute_now', 'users_per_minute_now'), ('per_minute_average', 'users_per_minute_average'),
    ('average_ms_per_entity', 'average_ms_per_user'), ('wal_bytes_per_entity', 'wal_bytes_per_user'),
    -- The guide has two names for it.
    ('pending', guide_pending)
  ) n(neutral, guide)
  where answer ? n.neutral
$$;
comment on function imago.guide_names(jsonb, text) is 'An answer with its figures once more under the names of the guide that Imago follows, which speaks of users.';
