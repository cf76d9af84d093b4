using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

/// <summary>Repositories and folders that tests begin with.</summary>
static class Prepared
{
    public static readonly RepositoryOptions Options = new()
    {
        HostName = "here",
        UserName = "tester",
        Workers = 2,
        Kdf = new KdfCost(1024, 8, 1),
    };

    public const string PasswordText = "twelve characters";

    static readonly Secret Password = Secret.FromText(PasswordText);

    public static Task<Repository> Init(IObjectStore store, RepositoryOptions? options = null)
        => Repository.Init(store, Password, options ?? Options, TestContext.Current.CancellationToken);

    public static Task<Repository> Open(IObjectStore store, RepositoryOptions? options = null)
        => Repository.Open(store, Password, options ?? Options, TestContext.Current.CancellationToken);

    public static async Task<BackupSummary> Backup(Repository repository, string path)
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] });
        return await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null,
            TestContext.Current.CancellationToken);
    }

    /// <summary>A folder with text, noise of several chunks, an empty file and a folder inside.</summary>
    public static string Folder(ScratchFolder scratch, int seed = 1)
    {
        scratch.File("source/words.txt", string.Concat(Enumerable.Repeat("the same words again and again ", 5_000)));
        scratch.File("source/empty", "");
        scratch.File("source/inner/note.txt", $"seed {seed}");
        File.WriteAllBytes(scratch.At("source/noise.bin"), Noise(5 << 20, seed));
        return scratch.At("source");
    }

    public static byte[] Noise(int length, int seed)
    {
        var noise = new byte[length];
        new SeededNoise(seed).Fill(noise);
        return noise;
    }

    /// <summary>Every pack as the index files list it.</summary>
    public static async Task<IReadOnlyList<IndexedPack>> Packs(Repository repository)
    {
        var ct = TestContext.Current.CancellationToken;
        var packs = new List<IndexedPack>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Index, ct))
        {
            Assert.True(ObjectLayout.TryId(listed, out var id));
            packs.AddRange(IndexFile.Read((await repository.ReadUnpacked(ObjectLayout.Index, id, ct)).Span, $"index {id}"));
        }
        return packs;
    }

    /// <summary>A small generator whose bytes are the same on every runtime.</summary>
    sealed class SeededNoise(int seed)
    {
        ulong _state = unchecked((ulong)seed * 0x9E3779B97F4A7C15 + 1);

        public void Fill(Span<byte> target)
        {
            unchecked
            {
                foreach (ref var value in target)
                {
                    _state ^= _state << 13;
                    _state ^= _state >> 7;
                    _state ^= _state << 17;
                    value = (byte)(_state >> 32);
                }
            }
        }
    }
}
