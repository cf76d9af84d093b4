using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Compression;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Components;

/// <summary>
/// Each stage alone on data of several kinds; then the stages of a backup, a restore and a check on the mixed files, beside what these
/// operations cost as a whole.
/// </summary>
sealed class Stages(string corpus, string scratch, CancellationToken ct)
{
    const int PackBytes = 16 << 20, ReadBytes = 1 << 20;
    static readonly FastCdc Cdc = new();

    readonly StageTable _table = new();
    readonly MasterKey _key = MasterKey.Random();
    readonly BufferPool _buffers = new();

    string Mixed => Path.Join(corpus, "mixed");

    /// <summary>Prints the table.</summary>
    /// <param name="corpus">Folder with <c>mixed</c> and <c>dbpages</c>.</param>
    /// <param name="scratch">Empty folder on the disk that is measured.</param>
    /// <param name="ct">Cancels between two stages.</param>
    public static async Task Run(string corpus, string scratch, CancellationToken ct)
    {
        var stages = new Stages(corpus, scratch, ct);
        stages.Kinds();
        await stages.Index();
        stages.Trees();
        var sourceBytes = await stages.OfMixed();
        stages._table.Finish(sourceBytes, await WholeRuns.Measure(stages.Mixed, scratch, ct));
    }

    void Kinds()
    {
        Sample[] kinds =
        [
            Sample.OfKind("log text", Mixed, ".log", Cdc), Sample.OfKind("CSV", Mixed, ".csv", Cdc),
            Sample.OfKind("random media", Mixed, ".bin", Cdc),
            Sample.OfKind("pages, 64 KiB", Path.Join(corpus, "dbpages"), "base.pages", new FixedSize(FixedSize.DefaultBytes)),
        ];
        var text = kinds[0];
        Cutting("cut, FastCDC", text, Cdc);
        Cutting("cut, Rabin", text, new Rabin(Polynomial.RandomIrreducible()));
        Cutting("cut, fixed 64 KiB", kinds[^1], new FixedSize(FixedSize.DefaultBytes));
        foreach (var kind in (Sample[])[text, kinds[^1]]) _table.Add("SHA-256", kind.Name, kind.Bytes, Cost.Of(() => Hash(kind.Pieces)));
        using var codec = new ZstdCodec();
        foreach (var kind in kinds) Compression(codec, kind);
        Sealing();
    }

    void Cutting(string stage, Sample kind, IChunker chunker)
    {
        ct.ThrowIfCancellationRequested();
        var whole = new byte[kind.Bytes];
        var at = 0;
        foreach (var piece in kind.Pieces)
        {
            piece.CopyTo(whole.AsMemory(at));
            at += piece.Length;
        }
        _table.Add(stage, kind.Name, kind.Bytes, Cost.Of(() => CutAll([whole], chunker)));
    }

    static int CutAll(List<byte[]> files, IChunker chunker) => files.Sum(file => Sample.Cut(file, chunker).Count());

    static void Hash(IReadOnlyList<ReadOnlyMemory<byte>> pieces)
    {
        Span<byte> hash = stackalloc byte[BlobId.Size];
        foreach (var piece in pieces) SHA256.HashData(piece.Span, hash);
    }

    void Compression(ZstdCodec codec, Sample kind)
    {
        ct.ThrowIfCancellationRequested();
        var frames = new List<byte[]>();
        var target = new byte[codec.Bound(Cdc.Maximum)];
        foreach (var piece in kind.Pieces) frames.Add(target[..codec.Compress(piece.Span, target)]);
        var ratio = (double)kind.Bytes / frames.Sum(frame => (long)frame.Length);
        _table.Add($"zstd, level {ZstdCodec.DefaultLevel}", kind.Name, kind.Bytes, Cost.Of(() =>
        {
            foreach (var piece in kind.Pieces) codec.Compress(piece.Span, target);
        }), remark: FormattableString.Invariant($" ({ratio:0.00}:1)"));
        _table.Add("zstd, decode", kind.Name, kind.Bytes, Cost.Of(() =>
        {
            for (var i = 0; i < frames.Count; i++)
                if (!codec.TryDecompress(frames[i], target.AsSpan(0, kind.Pieces[i].Length))) throw new InvalidDataException(kind.Name);
        }));
    }

    void Sealing()
    {
        using var box = new SealedBox(_key);
        var sealedBytes = new byte[SealedBox.Overhead + (1 << 20)];
        RandomNumberGenerator.Fill(sealedBytes);
        var seal = Cost.Of(() => box.Seal(sealedBytes));
        var tag = Cost.Of(() => { if (!box.IsAuthentic(sealedBytes)) throw new InvalidDataException("tag"); });
        _table.Add("seal: AES-256-CTR and tag", "1 MiB", sealedBytes.Length, seal);
        _table.Add("check of the tag: Poly1305", "1 MiB", sealedBytes.Length, tag);
    }

    async Task Index()
    {
        const int Blobs = 1_000_000;
        var made = new LargeIndex(Path.Join(scratch, "index"), "benchmark only", Path.Join(scratch, "cache"));
        await made.Make(Blobs, ct);
        using var repository = await made.Open(ct);
        var index = await repository.LoadIndex(ct);
        var asked = LargeIndex.SomeIds(Blobs, 100_000);
        var absent = LargeIndex.SomeIds(Blobs, 100_000, absent: true);
        _table.Count("look-up in the index", "1 million blobs, there", asked.Length, Cost.Of(() => LargeIndex.LookUp(index, asked, true)));
        _table.Count("look-up in the index", "1 million blobs, not there", absent.Length,
            Cost.Of(() => LargeIndex.LookUp(index, absent, false)));
    }

    void Trees()
    {
        ct.ThrowIfCancellationRequested();
        var nodes = Enumerable.Range(0, 1000).Select(number => new Node
        {
            Name = FilePath.FromText($"module-{number:0000}.cs"),
            Type = NodeType.File,
            Permissions = 0x1a4,
            ModifiedAt = new UnixTime(1_700_000_000 + number, 123_456_789),
            AccessedAt = new UnixTime(1_700_000_000 + number, 123_456_789),
            ChangedAt = new UnixTime(1_700_000_100 + number, 987_654_321),
            Uid = 1000,
            Gid = 1000,
            User = "somebody",
            Group = "somebody",
            Inode = (ulong)(4_000_000 + number),
            DeviceId = 2049,
            SizeBytes = (ulong)(6000 + number),
            Links = 1,
            Content = [LargeIndex.IdOf(number)],
        }).ToList();
        var json = new GoJson(1 << 20);
        var write = Cost.Of(() => TreeBlob.Write(nodes, json));
        var tree = json.Written.ToArray();
        _table.Add("tree, write", "1,000 files", tree.Length, write);
        _table.Add("tree, read", "1,000 files", tree.Length, Cost.Of(() => TreeBlob.Read(tree, "benchmark")));
    }

    /// <summary>The stages of the operations, each over all of the mixed files; gives their bytes.</summary>
    async Task<long> OfMixed()
    {
        ct.ThrowIfCancellationRequested();
        var files = Sample.Files(Mixed);
        var sourceBytes = files.Sum(file => (long)file.Length);
        _table.Add("read a file, page cache", "mixed", sourceBytes, Cost.Of(ReadAll), Operations.Backup);
        _table.Add("cut, FastCDC", "mixed", sourceBytes, Cost.Of(() => CutAll(files, Cdc)), Operations.Backup);
        var pieces = files.SelectMany(file => Sample.Cut(file, Cdc)).ToList();
        _table.Add("SHA-256 of blobs", "mixed", sourceBytes, Cost.Of(() => Hash(pieces)), Operations.Backup);

        using var bench = new BlobWorkbench(_key, ZstdCodec.DefaultLevel, _buffers);
        var blobs = SealedBlob.Of(pieces, bench);
        var (plainBytes, packedBytes) = (blobs.Sum(blob => (long)blob.Plain.Length), blobs.Sum(blob => (long)blob.Box.Length));
        _table.Add("make a blob: zstd, seal, open again, compare", "mixed, new blobs", plainBytes, Cost.Of(() =>
        {
            foreach (var blob in blobs) bench.Seal(BlobType.Data, blob.Plain.Span, out _);
        }), Operations.Backup);
        var packs = SealedBlob.Packs(blobs, PackBytes);
        _table.Add("check of the tags in a full pack", "mixed, packs", packedBytes, Cost.Of(() =>
        {
            foreach (var blob in blobs)
                if (!bench.Box.IsAuthentic(blob.Box)) throw new InvalidDataException("A blob is not as it was sealed.");
        }), Operations.Backup);
        _table.Add("SHA-256 of packs", "mixed, packs", packedBytes, Cost.Of(() => Hash(packs)), Operations.Backup | Operations.Check);
        await Storing(packs, packedBytes, sourceBytes);
        var (copy, target) = (new byte[blobs.Max(blob => blob.Box.Length)], new byte[Cdc.Maximum]);
        _table.Add("use a blob: open, decode, SHA-256", "mixed, new blobs", plainBytes, Cost.Of(() =>
        {
            foreach (var blob in blobs)
            {
                blob.Box.CopyTo(copy, 0);   // opening changes it
                if (!bench.TryOpen(copy.AsSpan(0, blob.Box.Length), blob.Entry, target, out var wrong))
                    throw new InvalidDataException(wrong);
            }
        }), Operations.Restore | Operations.Check);
        return sourceBytes;
    }

    void ReadAll()
    {
        var buffer = _buffers.Rent(ReadBytes);
        foreach (var path in Directory.EnumerateFiles(Mixed, "*", SearchOption.AllDirectories))
        {
            using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
            for (var at = 0L; file.FillAt(at, buffer.AsSpan(0, ReadBytes)) is > 0 and var count; at += count) { }
        }
        _buffers.Return(buffer);
    }

    async Task Storing(List<ReadOnlyMemory<byte>> packs, long packedBytes, long sourceBytes)
    {
        await using var store = new FolderStore(FilePath.FromText(Path.Join(scratch, "packs")), TimeProvider.System);
        var names = packs.Select(pack => ObjectLayout.Of(ObjectLayout.Data, new BlobId(SHA256.HashData(pack.Span)))).ToList();
        async Task Empty() { foreach (var name in names) await store.Delete(name, ct); }
        var write = await Cost.Of(Empty, async () =>
        {
            for (var i = 0; i < packs.Count; i++) await store.Put(names[i], packs[i], ct);
        });
        _table.Add("pack write, past the page cache", "mixed, packs", packedBytes, write, Operations.Backup);
        // A restore writes its files the same way, at the same rate.
        _table.Add("file write, as a pack's", "mixed", sourceBytes, write / packedBytes * sourceBytes, Operations.Restore);
        var target = _buffers.Rent(packs.Max(pack => pack.Length));
        var read = await Cost.Of(() => Task.CompletedTask, async () =>
        {
            for (var i = 0; i < packs.Count; i++) await store.Read(names[i], 0, target.AsMemory(0, packs[i].Length), ct);
        });
        _buffers.Return(target);
        _table.Add("pack read", "mixed, packs", packedBytes, read, Operations.Restore | Operations.Check);
        await Empty();
    }
}
