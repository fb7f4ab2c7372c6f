/*
 * Private to fleet/: what LABEL_SAW holds, an array of the steps of a canary's trial, the
 * newest last: {"weight", "seconds", "requests", "errors", "others", "others_errors",
 * "unreadable", "rejected", "ended", "first_word_s", "others_first_word_s", "end"}. "end" is ""
 * while it goes on, "good", or the sentence for which it was taken back. Of a version that was
 * watched and taken back there is one step, with "end" alone. Written by the keeper.
 */
#pragma once

#include "fleet/rollout.h"

/* Follow a trial to its end, a line for each step. ERR_IO with the reason when it is bad. */
int trial__follow(const struct rollout *r, int number, struct err *e) MUST_USE;
/*
 * Hand over to v`number` and follow it while it is watched; then see the others go. ERR_IO with
 * the reason when it is taken back; ERR_STOPPED: the keeper goes on watching.
 */
int trial__hand_over(const struct rollout *r, int number, struct err *e) MUST_USE;
