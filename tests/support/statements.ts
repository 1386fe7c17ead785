/** Everything that hides a semicolon. */
export const tricky = `-- first; comment
create table "T;x" (id int primary key, a text default 'it''s; fine', b text default E'a\\'; b'); -- behind; it
/* block; /* nested; */ still; */
create function f() returns int language plpgsql as $fn$ begin /* c; */ return 1; end $fn$;
create function g(x int) returns int language sql begin atomic select case when x > 0 then 1 else 2 end; select 3; end;
create table "begin" ("end" int, "case;" text);
create rule r as on insert to "begin" do also (select 1; select 2);
insert into "T;x" values (1, 'plain', $$dollar; $x$ quoted$$);
comment on table "T;x" is U&'\\0441; x'`;
