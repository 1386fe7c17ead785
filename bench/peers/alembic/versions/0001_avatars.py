"""A default avatar for each user, page by page: a data migration as the documentation of Alembic has it, in a loop."""
import json
import os

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None

statements = json.loads(os.environ["BENCH_STATEMENTS"])
page_size = 1000


def upgrade():
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        while connection.execute(text(statements["there"].replace("$1", str(page_size)))).scalar():
            pass


def downgrade():
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        while True:
            connection.execute(text("begin"))
            users = connection.execute(text(statements["back"][0])).rowcount
            for statement in statements["back"][1:]:
                connection.execute(text(statement))
            connection.execute(text("commit"))
            if users == 0:
                break
