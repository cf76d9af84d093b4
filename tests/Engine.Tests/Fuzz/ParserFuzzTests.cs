using System.Text;
using BackupDr.Engine.Compression;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests.Fuzz;

/// <summary>Damaged input ends in the named error, within bounded memory. A failure names the seed that repeats it.</summary>
public sealed class ParserFuzzTests
{
    const string Lock = """
        {"time":"2026-11-21T03:00:14.600751081Z","exclusive":false,"hostname":"here","username":"root","pid":24777,"uid":7,"gid":8,
        "backupdr_process":{"machine":"","boot":"6c1f1d7e-0000-4000-8000-000000000000","pid_namespace":4026531836,"start_ticks":12}}
        """;


    static readonly TimeSpan LongestParse = TimeSpan.FromSeconds(1);
    static readonly int Inputs = Nightly.Or(10_000, 100_000);

    [Fact, Clause("F-11.1")]
    public void A_config() => Survives(Text(Vector.Of("config").Text("plaintext")), bytes => ConfigFile.Read(bytes));

    [Fact, Clause("F-11.1")]
    public void A_key() => Survives(Text(Vector.Of("scrypt").Text("key_file_text")), bytes => KeyFile.Read(bytes, "x"));

    [Fact, Clause("F-11.1")]
    public void An_index() => Survives(Text(Vector.Of("index").Text("json")), bytes => IndexFile.ReadAll(bytes, "x"));

    [Fact, Clause("F-11.1")]
    public void A_pack_header() => Survives(Vector.Of("pack_uncompressed").Hex("header_plaintext"), bytes => PackHeader.Read(bytes, "x"));

    [Fact, Clause("F-11.1")]
    public void A_tree() => Survives(
        Text(Vector.Of("trees").EnumerateArray().MaxBy(tree => tree.Text("json").Length).Text("json")), bytes => TreeBlob.Read(bytes, "x"));

    [Fact, Clause("F-11.1")]
    public void A_snapshot() => Survives(Text(Vector.Of("snapshot").Text("json")), bytes => SnapshotFile.Read(bytes, default));

    [Fact, Clause("F-11.1")]
    public void A_lock() => Survives(Text(Lock), bytes => LockFile.Read(bytes, "x"));

    [Fact, Clause("F-11.1")]
    public void A_quoted_name() => Survives("na\\x00me\\u00e9\\U0001F600\\n\\\" and more"u8.ToArray(),
        bytes => Assert.True(!GoQuote.TryUnquote(bytes, out var raw) || raw.Length <= bytes.Length));

    [Fact, Clause("F-11.1")]
    public void A_compressed_file()
    {
        using var codec = new ZstdCodec();
        using var box = new SealedBox(MasterKey.Random());
        var plain = Text(Vector.Of("index").Text("json"));
        var frame = new byte[1 + codec.Bound(plain.Length)];
        frame[0] = 2;
        var length = 1 + codec.Compress(plain, frame.AsSpan(1));

        // What a frame of so many bytes can hold at most: 128 KiB for each block of four bytes.
        Survives(frame[..length], bytes => UnpackedFile.Read(box.Seal(bytes, out _), box, codec, "x"), boundFactor: 40_000);
    }

    [Fact, Clause("F-11.1")]
    public void A_frame_that_promises_more_than_it_can_hold_gets_no_memory()
    {
        using var codec = new ZstdCodec();
        using var box = new SealedBox(MasterKey.Random());
        // Magic, single segment with a content size of four bytes (200 MiB), one empty last block.
        byte[] bomb = [2, 0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x80, 0x0c, 1, 0, 0];
        var stored = box.Seal(bomb, out _);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var e = Assert.Throws<RepositoryException>(() => UnpackedFile.Read(stored, box, codec, "index x"));

        Assert.Contains("index x", e.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
    }

    static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    static void Survives(byte[] valid, Action<byte[]> parse, int boundFactor = 200)
    {
        parse([.. valid]);
        for (var seed = 0; seed < Inputs; seed++)
        {
            var input = new Mutator(seed).Change(valid);
            var (before, begun) = (GC.GetAllocatedBytesForCurrentThread(), ThreadTime.Used);
            try { parse(input); }
            catch (RepositoryException e) { Assert.NotEmpty(e.Message); }   // the named error
            catch (Exception e) { Assert.Fail($"seed {seed}: {e}"); }
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= (64 << 10) + (long)boundFactor * input.Length,
                $"seed {seed}: {input.Length} bytes of input made the parser allocate {allocated}");
            var took = ThreadTime.Used - begun;
            Assert.True(took < LongestParse, $"seed {seed}: {input.Length} bytes of input took {took.TotalSeconds:0.0} s of the processor");
        }
    }
}
