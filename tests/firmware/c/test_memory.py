import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.firmware.c.memory import Block, MemoryPlan, find_clashes, plan_memory


def block(size, first, last, **more):
    return Block(name=f"{size} bytes", size_bytes=size, first=first, last=last, **more)


def test_blocks_that_never_meet_share_their_memory():
    plan = plan_memory([block(100, 0, 1), block(60, 2, 3), block(40, 2, 4)])
    assert plan.total_bytes == 100


def test_an_output_may_lie_over_the_input_it_is_computed_from():
    plan = plan_memory([block(100, 0, 1), block(100, 1, 2, over={0: 0})])
    assert plan.total_bytes == 100


def test_a_negative_slack_keeps_the_output_ahead_of_the_input():
    plan = plan_memory([block(100, 0, 1), block(100, 1, 2, over={0: -12})])
    assert plan.offsets[1] + 12 <= plan.offsets[0]
    assert plan.total_bytes == 112


def test_in_place_is_the_very_same_address_or_elsewhere():
    plan = plan_memory([block(100, 0, 1), block(50, 1, 2, over={0: None})])
    assert plan.offsets[0] == plan.offsets[1]


def test_a_residual_branch_is_found_a_place_below_two_and_a_half_tensors():
    # ResNet-8's first block: the branch's last convolution writes behind its own reads.
    blocks = [block(16384, 0, 3), block(16384, 1, 2, over={}), block(16384, 2, 3, over={1: -1056})]
    assert plan_memory(blocks).total_bytes == 2 * 16384 + 1056


def test_an_overlap_that_is_not_allowed_is_found():
    blocks = [block(100, 0, 1), block(100, 1, 2)]
    assert find_clashes(blocks, MemoryPlan(offsets=(0, 96), total_bytes=196)) == [(1, 0)]
    allowed = [blocks[0], dataclasses.replace(blocks[1], over={0: -12})]
    assert find_clashes(allowed, MemoryPlan(offsets=(8, 0), total_bytes=108)) == [(1, 0)]
    assert not find_clashes(allowed, MemoryPlan(offsets=(12, 0), total_bytes=112))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=12)
)
def test_no_plan_has_clashes(spans):
    blocks = []
    for size, first, length, lies_over in spans:
        ended = [i for i, other in enumerate(blocks) if other.last == first]
        over = {ended[0]: -size // 3} if lies_over and ended else {}
        blocks.append(block(size, first, first + length, over=over))
    plan = plan_memory(blocks)
    assert not find_clashes(blocks, plan)
    assert all(offset % 4 == 0 for offset in plan.offsets)
