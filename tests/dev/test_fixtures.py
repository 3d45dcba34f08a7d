"""The fixtures of conftest.py."""


def test_each_test_gets_a_database_of_its_own_with_the_extension(db):
    assert db.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pglore'").fetchone() == (1,)
    db.execute("CREATE TABLE here (a int)")


def test_what_another_test_made_is_gone(db):
    assert db.execute("SELECT to_regclass('here')").fetchone() == (None,)


def test_a_role_made_for_a_test_can_log_in_and_is_a_member_of_its_group(connect, role):
    reader = connect(user=role("lore_reader"))
    assert reader.execute("SELECT pg_has_role('lore_reader', 'member')").fetchone() == (True,)


def test_the_model_host_of_the_test_server_is_found(host):
    assert host.pid > 1
