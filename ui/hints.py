"""What every number of the page means, in a sentence or two, and the marks that tell it.

``browser/hints.js`` shows the sentence beside whatever carries ``data-hint`` while it is pointed at or focused. Knows
words, not where they stand.
"""

from __future__ import annotations

from html import escape

TERMS: dict[str, str] = {
    # what is asked for
    "seed": "Where the random noise that the song grows from begins. The same seed and settings give the same song.",
    "steps": "How often the noise is refined into a song. More steps take longer and may sound cleaner.",
    "duration": "Length of the song in seconds. Left empty, it follows from the words and the tempo.",
    "tempo": "Beats per minute. Left empty, it follows from the style.",
    "guidance": "How strictly style and words are followed. 1 is not at all; too much sounds harsh.",
    "melody_seed": "Draws another tune for the same voice and words.",
    "syllables": "Beats of speech, which the plan gives a note each.",
    "composition": "Adapters and how strongly each is added to the model. 1 is as it was trained, 0 is not at all, "
    "below zero takes away what it learnt.",
    "weight": "How strongly an adapter is added. 1 is as it was trained, 0 is not at all, below zero takes it away.",
    "budget": "Songs that are sung at most before the best of them is kept.",
    "stop_wer": "A song with at most this word error rate is good enough, and no other is tried.",
    # what was heard
    "wer": "Word error rate: wrong, missing and extra words per word of the lyrics, as the judge heard them. 0 % is "
    "perfect; it may go over 100 % where much is sung that is not there.",
    "cer": "Character error rate: the same counted in letters, so that a word that is nearly right counts less.",
    "hits": "Words of the lyrics that the judge heard where they belong.",
    "substitutions": "Words that were heard as other words.",
    "deletions": "Words of the lyrics that were not heard.",
    "insertions": "Words that were heard and are not in the lyrics.",
    "judge": "The speech recogniser that writes down what it hears. It never sees the lyrics.",
    "loudness": "How loud the whole song is to the ear (ITU-R BS.1770), in LUFS. Nearer to zero is louder.",
    "levelled": "How much quieter this player is set, in decibels, so that all of them are equally loud. Downloads are "
    "not changed.",
    # what the router expects
    "predicted": "The word error rate that the router expects, from prompts that were measured. It is a guess.",
    "predicted_range": "Of prompts that the router had not seen, eight in ten ended up in this range.",
    "chance": "How likely it is, to the router, that this sings better than the default.",
    "distance": "How unlike the two prompts are: 0 is the same, 1 has nothing in common.",
    # what attention says
    "attention": "For every moment of the song, how its attention was spread over the words of the lyrics.",
    "lyric_mass": "Share of all attention that falls on words of the lyrics.",
    "discarded": "Share of all attention that this picture leaves out: on the style, the voice and hidden tokens.",
    "alignment_heads": "The attention heads that follow the words through the song, found by measurement.",
    "entropy": "How widely attention is spread over the words. Low is sharp.",
    "alignment_score": "How steadily attention moves through the words in their order, 0 to 1.",
    # what was measured
    "micro": "All words of all songs together: errors per word (micro average).",
    "macro": "Every prompt's own word error rate, and the mean of these (macro average): every prompt counts the same.",
    "median": "Half of the songs have a lower rate, half a higher one.",
    "interval": "Range in which the true value lies with 95 % certainty, as far as the prompts are a fair sample.",
    "difference": "Word error rate minus that of the base model on the same prompts and noise. Below zero is better.",
    "p": "How likely a difference as large would be if there were none, corrected for the number of comparisons. Below "
    "0.05 counts as shown.",
    "wins": "Genres in which a composition made the fewest errors.",
    "songs": "How many songs the number is made of.",
    "oracle": "Oracle: what one would get by always knowing the best composition of a prompt: no router can do better.",
    "headroom": "Headroom: what choosing per prompt could gain over the best single composition, chosen on some songs "
    "and scored on others. Below zero there is nothing to choose.",
    "failures": "What kind of thing went wrong in a song, by written rules.",
    # what adapters are
    "rank": "How many directions an adapter can change each layer in. More is larger and can learn more.",
    "alpha": "How strongly an adapter's change is scaled; it is divided by the rank.",
    "parameters": "Numbers that were learnt.",
    "size": "Space on the disk.",
    # what is measured and fitted here
    "default": "The composition that is sung with unless another one is likely enough to be better.",
    "policy": "The rule that turns style and words into a choice. Several were tried on prompts they had not seen.",
    "cascade": "Each song is heard by the judge, and another is sung until the words come through. The best is kept.",
    "evaluation_genres": "How many genres are sung, one prompt of each. More say more, and take longer.",
    "evaluation_seeds": "How many times every prompt is sung by every composition, each time from other noise. Two or "
    "more tell luck from skill.",
    "seconds_left": "By how long the songs so far took. Songs that people wait for go first.",
    "picks": "Votes of people for the best of several songs, on the Compare tab.",
    "feedback_weight": "What one vote of a person weighs in the fit: at 1 a quarter of a pair of measured songs, at 0 "
    "nothing.",
    "gain": "How many percentage points fewer of the words go wrong than with the best single composition, on prompts "
    "whose genre was left out of the fit.",
    # past songs
    "length": "How long the song is, in seconds.",
    "past_text": "Songs whose style or lyrics hold this, in large or small letters.",
    "past_adapter": "Songs in which this adapter sings, at whatever weight. Base: songs of the model alone.",
    "past_judged": "Whether somebody listened: only then is a word error rate known.",
    "past_state": "How far a song is. Failed and cancelled ones are known until the server ends.",
    "past_compared": "Songs of one comparison, or takes of one cascade, belong together.",
    "past_since": "Songs of this day or later. Days begin at midnight UTC, as all times here are.",
    "past_until": "Songs of this day or earlier. Days begin at midnight UTC, as all times here are.",
    # how adapters are made, blended and exported
    "base_model": "The song model that the adapter was trained on, and the fingerprint of its weights. It changes "
    "nothing but this one.",
    "corpus": "The recordings that it was trained on.",
    "targets": "Which layers of the song model the adapter changes.",
    "training_steps": "How often the adapter was changed a little during training.",
    "epochs": "How often training went through the whole corpus.",
    "batch": "Clips that are looked at together in one step.",
    "learning_rate": "How much each training step changes. Too much forgets how to sing, too little learns nothing.",
    "warmup": "Steps in which the learning rate grows from nothing to its full value.",
    "dropout": "Share of the adapter's numbers that are left out at random in training, so that none is relied upon.",
    "sharpness": "A second aim of the training: that attention decides for few things at once instead of blurring.",
    "sharpness_weight": "How much that second aim counts beside singing well.",
    "training_seed": "Where the randomness of the training began. The same seed and settings give the same adapter.",
    "export_size": "Computed from the adapters' shapes before anything is made; right within a few percent.",
    "merge": "How several adapters become one. The sum is exact; the others drop what the adapters disagree about.",
    "compress": "Fewer directions per layer make a smaller file that is no longer exact. What was lost is told.",
    "density": "Share of each adapter's numbers that is kept, the largest first. The rest is dropped.",
    "dtype": "How many bytes each number takes. 16 bits halve the file and round every number.",
    "shard_size": "A whole model is cut into files of at most this size.",
    "compression_loss": "How far the compressed change is from the exact one, as a share of its size. 0 % is exact.",
    "model_alone": "The same of the song model without any adapter, on the same words and noise.",
}


def hint(term: str) -> str:
    """A small mark that explains a term, to be put after a number or its name. ``term``: of :data:`TERMS`."""
    said = escape(TERMS[term])
    return f'<span class="hint" tabindex="0" role="note" aria-label="{said}" data-hint="{said}">?</span>'


def hinted(shown: str, term: str) -> str:
    """HTML that explains itself when it is pointed at or focused, for where a mark would be in the way."""
    said = escape(TERMS[term])
    return f'<span class="hinted" tabindex="0" data-hint="{said}">{shown}<span class="sr"> ({said})</span></span>'
