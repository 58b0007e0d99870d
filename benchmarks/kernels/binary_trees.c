/* Pointers and an allocator: n full trees of depth 12 are built, walked and given back. */
#include "kernel.h"

struct node {
    struct node *left, *right;
};
enum { DEPTH = 12, NODES = 2 << DEPTH };
static struct node nodes[NODES], *unused;

static struct node *build(int depth) {
    struct node *made = unused;
    unused = made->left;
    made->left = depth ? build(depth - 1) : 0;
    made->right = depth ? build(depth - 1) : 0;
    return made;
}

static u32 count(const struct node *tree) { return tree ? 1 + count(tree->left) + count(tree->right) : 0; }

static void give_back(struct node *tree) {
    if (!tree) return;
    give_back(tree->left);
    give_back(tree->right);
    tree->left = unused;
    unused = tree;
}

EXPORT u32 run(u32 n) {
    u32 sum = 0;
    unused = 0;
    for (u32 i = NODES; i-- > 0;) nodes[i].left = unused, unused = &nodes[i];
    for (u32 turn = 0; turn < n; turn++) {
        struct node *tree = build(DEPTH - (int)(turn % 3));
        sum = sum * 31 + count(tree);
        give_back(tree);
    }
    return sum;
}
