#!/usr/bin/env python3
"""Times updates of RNNsearch in PyTorch on the CPU, as most people write it: `nn.GRU` reads the source, a Python loop decodes,
autograd differentiates. Same layers, sizes and work as `rnnsearch bench train`; prints the same keys as JSON.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


class RnnSearch(nn.Module):
    def __init__(self, embedding, hidden, vocabulary):
        super().__init__()
        self.source_embedding = nn.Embedding(vocabulary, embedding)
        self.target_embedding = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.GRU(embedding, hidden, bidirectional=True)
        self.bridge = nn.Linear(hidden, hidden)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.energy = nn.Linear(hidden, 1, bias=False)
        self.cell = nn.GRUCell(embedding + 2 * hidden, hidden)
        self.readout = nn.Linear(hidden + embedding + 2 * hidden, 2 * embedding)
        self.output = nn.Linear(embedding, vocabulary)
        self.hidden = hidden

    def forward(self, source, previous):
        annotations, _ = self.encoder(self.source_embedding(source))
        state = torch.tanh(self.bridge(annotations[0, :, self.hidden:]))
        annotations = annotations.transpose(0, 1)
        keys = self.keys(annotations)
        embedded = self.target_embedding(previous)
        states, contexts = [], []
        for word in embedded:
            energies = self.energy(torch.tanh(keys + self.query(state).unsqueeze(1))).squeeze(2)
            context = torch.bmm(torch.softmax(energies, 1).unsqueeze(1), annotations).squeeze(1)
            state = self.cell(torch.cat([word, context], 1), state)
            states.append(state)
            contexts.append(context)
        seen = torch.cat([torch.stack(states), embedded, torch.stack(contexts)], 2)
        units = self.readout(seen)
        units = units.view(*units.shape[:2], -1, 2).amax(3)
        return self.output(units)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in [("embedding", 256), ("hidden", 256), ("vocabulary", 8000), ("sentences", 80), ("source-length", 15),
                          ("target-length", 15), ("updates", 10), ("threads", 2)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--bfloat16", action="store_true", help="products in bfloat16, by autocast")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = RnnSearch(args.embedding, args.hidden, args.vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    source = torch.randint(8, args.vocabulary, (args.source_length, args.sentences))
    previous = torch.randint(8, args.vocabulary, (args.target_length, args.sentences))
    targets = torch.randint(8, args.vocabulary, (args.target_length * args.sentences,))

    def update():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            logits = model(source, previous).flatten(0, 1)
            loss = functional.cross_entropy(logits, targets, label_smoothing=0.1)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    for _ in range(2):
        update()
    walls, cpus = [], []
    for _ in range(args.updates):
        wall, cpu = time.perf_counter(), time.process_time()
        update()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    seconds = statistics.median(walls)
    print(json.dumps({
        "program": f"PyTorch {torch.__version__}, eager" + (", bfloat16" if args.bfloat16 else ""),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "target_tokens_per_second": args.sentences * args.target_length / seconds,
        "seconds_per_update": seconds,
        "cpu_seconds_per_update": statistics.median(cpus),
        "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }))


if __name__ == "__main__":
    main()
