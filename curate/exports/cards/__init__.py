"""What stands beside the shards for people and for machines: the dataset card, and Croissant.

Both are made from what lies in the folder of an export and from nothing of its pictures, so they can be written anew at
any time (`curate.exports.cards.write`).
"""
