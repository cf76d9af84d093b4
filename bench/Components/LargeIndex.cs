using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Storage.Folder;

namespace BackupDr.Components;

/// <summary>A repository whose index names many blobs of packs that do not exist, and what it costs to use that index.</summary>
/// <param name="folder">The repository.</param>
/// <param name="passwordText">Its password.</param>
/// <param name="cache">Where the index is kept on this machine; null keeps none.</param>
sealed class LargeIndex(string folder, string passwordText, string? cache)
{
    const int BlobsInPack = 400, PacksInFile = 125;
    const uint SealedBytes = 50_000, PlainBytes = 100_000;
    const int Batches = 100, LookUpsInBatch = 10_000;   // a million, and little memory for the questions

    readonly RepositoryOptions _options = new()
    {
        Kdf = new KdfCost(1024, 8, 1),
        CacheFolder = cache is null ? null : FilePath.FromText(cache),
    };

    FolderStore Store => new(FilePath.FromText(folder), TimeProvider.System);

    /// <summary>Makes it, and says how long that took.</summary>
    public static async Task Make(string folder, string passwordFile, int blobs, CancellationToken ct)
        => await new LargeIndex(folder, Password(passwordFile), null).Make(blobs, ct);

    /// <summary>Loads the index and looks blobs up at random; prints a line of JSON with what both cost.</summary>
    /// <param name="folder">The repository.</param>
    /// <param name="passwordFile">Its password.</param>
    /// <param name="blobs">How many it has.</param>
    /// <param name="cache">Where the index is kept on this machine; empty keeps none.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task Load(string folder, string passwordFile, int blobs, string cache, CancellationToken ct)
    {
        using var repository = await new LargeIndex(folder, Password(passwordFile), cache.Length == 0 ? null : cache).Open(ct);
        var (clock, cpu) = (Stopwatch.StartNew(), Cost.Seconds);
        var index = await repository.LoadIndex(ct);
        var (loadSeconds, loadCpu, loadMiB) = (clock.Elapsed.TotalSeconds, Cost.Seconds - cpu, ResidentMiB());
        if (index.Count != blobs) throw new InvalidDataException($"{index.Count} blobs instead of {blobs}.");
        cpu = Cost.Seconds;
        for (var batch = 0; batch < Batches; batch++) LookUp(index, SomeIds(blobs, LookUpsInBatch, seed: batch), true);
        var (lookCpu, lookMiB) = (Cost.Seconds - cpu, ResidentMiB());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $$"""
            {"load_s": {{loadSeconds:0.000}}, "load_cpu": {{loadCpu:0.000}}, "load_mib": {{loadMiB}},
             "look_cpu": {{lookCpu:0.000}}, "look_mib": {{lookMiB}}}
            """));
    }

    static string Password(string file) => File.ReadAllText(file).TrimEnd('\n');

    /// <summary>Opens it.</summary>
    public async Task<Repository> Open(CancellationToken ct)
    {
        using var password = Secret.FromText(passwordText);
        return await Repository.Open(Store, password, _options, ct);
    }

    /// <summary>Makes it with the engine's own writers.</summary>
    public async Task Make(int blobs, CancellationToken ct)
    {
        using var password = Secret.FromText(passwordText);
        using var repository = await Repository.Init(Store, password, _options, ct);
        for (var first = 0; first < blobs; first += PacksInFile * BlobsInPack)
        {
            // Each file by a writer of its own: one writer would remember all blobs.
            var writer = new IndexWriter(repository, new BlobIndex());
            var end = Math.Min(blobs, first + PacksInFile * BlobsInPack);
            for (var at = first; at < end; at += BlobsInPack) await writer.Add(Pack(at, Math.Min(BlobsInPack, end - at)), ct);
            await writer.Flush(ct);
        }
    }

    static IndexedPack Pack(int first, int blobs) => new(IdOf(-1 - first), [.. Enumerable.Range(0, blobs)
        .Select(i => new PackEntry(BlobType.Data, IdOf(first + i), (uint)i * SealedBytes, SealedBytes, PlainBytes))]);

    /// <summary>The id of a number: always the same, spread like a hash.</summary>
    public static BlobId IdOf(int number)
    {
        Span<byte> bytes = stackalloc byte[BlobId.Size];
        BitConverter.TryWriteBytes(bytes, number);
        SHA256.HashData(bytes[..4], bytes);
        return new BlobId(bytes);
    }

    /// <summary>Ids at random of those that are there, or of others.</summary>
    public static BlobId[] SomeIds(int blobs, int count, bool absent = false, int seed = 1)
    {
        var random = new Random(seed);
        var ids = new BlobId[count];
        for (var i = 0; i < count; i++) ids[i] = IdOf(random.Next(blobs) + (absent ? blobs : 0));
        return ids;
    }

    /// <summary>Looks all of them up.</summary>
    /// <exception cref="InvalidDataException">The index gave another answer than it should.</exception>
    public static void LookUp(BlobIndex index, BlobId[] ids, bool areThere)
    {
        foreach (var id in ids)
            if (index.Contains(BlobType.Data, id) != areThere) throw new InvalidDataException($"Wrong answer for {id}.");
    }

    static long ResidentMiB()
    {
        var line = File.ReadLines("/proc/self/status", Encoding.ASCII).First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) >> 10;
    }
}
