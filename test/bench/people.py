"""What people notice while everything that serves them is changed: test/people/evening.py."""
import pathlib
import tempfile

from kit import Row


def arguments(parser):
    parser.add_argument("--people", type=int, default=1000, help="people: how many talk")
    parser.add_argument("--people-steps", default="", metavar="WORDS",
                        help="people: only steps whose titles have one of these words")
    parser.add_argument("--people-watched", type=int, default=200,
                        help="people: how many of them are watched")
    parser.add_argument("--people-every", type=float, default=10,
                        help="people: seconds between two messages of one")


def rows(bench):
    import apps  # of the tests; it needs pytest
    import evening

    args = bench.args
    with tempfile.TemporaryDirectory() as folder:
        place = apps.Place(pathlib.Path(folder))
        try:
            what = evening.Evening(place, args.people, args.people_every)
            what.begin(args.people, args.people_watched)
            yield from steps(what, evening.STEPS, args.people_steps.split())
        finally:
            place.close()


def steps(what, all_of_them, words):
    for title, step in all_of_them:
        if words and not any(w in title for w in words):
            continue
        n = what.take(step)
        yield talked(title, n)
        yield watched(title, n)
        for _, session, status, body in n.failed[:5]:
            print(f"<!-- {session} {status} {body!r} -->")
    acknowledged, lost = what.crowd.acknowledged, what.end()
    yield Row("in the end: turns, sessions", f"{sum(acknowledged.values())}, {len(acknowledged)}",
              f"lost: {lost[0]}, {lost[1]}", "0, 0", not any(lost), True)


def talked(title, n):
    lost = n.turns_lost, n.sessions_lost
    return Row(f"{title}, {n.took:.0f} s", f"{len(n.failed)} of {n.asked} requests failed, {lost[0]} turns and "
                                           f"{lost[1]} sessions lost",
               f"slowest {n.slowest * 1000:.0f} ms", "0, 0, 0", not n.failed and not any(lost), True)


def watched(title, n):
    """One row of the streams: what was missed must not be, a gap is a timing."""
    return Row(f"{title}: streams", f"{n.cut} of {n.streams} cut, {len(n.missed)} events missed, longest gap {n.gap:.2f} s",
               f"latest event {n.late:.2f} s after its answer; {n.refused} refused", "0 missed, 1 s",
               not n.missed and n.gap <= 1, bool(n.missed))
