-- Stands in for pg_graphql 1.5, so that migrations which create it and write its directives into comments go through. Queries
-- are answered as GraphQL does it, with an error.
create function graphql.resolve(
  query text,
  variables jsonb default '{}',
  "operationName" text default null,
  extensions jsonb default null
)
returns jsonb
language sql
immutable
as $$ select '{"data": null, "errors": [{"message": "pg_graphql is not part of the embedded Supabase"}]}'::jsonb $$;

create function graphql_public.graphql(
  "operationName" text default null,
  query text default null,
  variables jsonb default null,
  extensions jsonb default null
)
returns jsonb
language sql
as $$ select graphql.resolve(query, variables, "operationName", extensions) $$;

grant execute on function graphql.resolve, graphql_public.graphql to postgres, anon, authenticated, service_role;
