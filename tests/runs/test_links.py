import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guild.runs.links import Act, Leads, copy_resources, into_zip, leads, safe_only


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("latest", "model-3.bin", Leads.INSIDE),
        ("sub/latest", "../model", Leads.INSIDE),
        ("sub/up", "..", Leads.INSIDE),
        ("step", "../0123", Leads.RUN),
        ("step", "../0123/", Leads.RUN),
        ("sub/step", "../../0123", Leads.RUN),
        ("data", "../0123/data", Leads.SIBLING),
        ("up", "..", Leads.ELSEWHERE),
        ("data", "../../data", Leads.ELSEWHERE),
        ("data", "../x/../../data", Leads.ELSEWHERE),
        ("data", "/data", Leads.ELSEWHERE),
        ("data", "", Leads.ELSEWHERE),
    ],
)
def test_a_links_text_tells_where_it_leads(path: str, text: str, where: Leads) -> None:
    assert leads(path, text) is where


PARTS = st.lists(st.sampled_from(["..", ".", "a", "b", ""]), max_size=6).map("/".join)


@given(path=st.sampled_from(["l", "a/l", "a/b/l"]), text=PARTS)
def test_what_a_link_of_an_import_names_is_always_below_the_directory_of_all_runs(
    path: str, text: str
) -> None:
    if safe_only(leads(path, text), False) is Act.KEEP:
        full = os.path.normpath(os.path.join("/runs/me", os.path.dirname(path), text))
        assert full.startswith("/runs/")


def test_resources_are_what_lies_elsewhere_and_no_whole_runs() -> None:
    followed = {where for where in Leads if copy_resources(where, True) is Act.FOLLOW}
    assert followed == {Leads.SIBLING, Leads.ELSEWHERE}
    kept = {
        (where, is_dir) for where in Leads for is_dir in (True, False) if into_zip(where, is_dir) is Act.KEEP
    }
    assert kept == {(Leads.RUN, True), (Leads.RUN, False), (Leads.INSIDE, True)}
