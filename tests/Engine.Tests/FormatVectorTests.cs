using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

public sealed class FormatVectorTests
{
    [Fact, Clause("F-7.4"), Clause("F-7.7")]
    public void Names_are_quoted_and_escaped_as_stock_restic_does()
    {
        foreach (var vector in Vector.Of("name_quoting").EnumerateArray())
        {
            var raw = vector.Base64("raw_b64");
            var quoted = new ArrayBufferWriter<byte>();
            GoQuote.Quote(raw, quoted);

            Assert.Equal(vector.Text("quoted"), Encoding.UTF8.GetString(quoted.WrittenSpan));
            Assert.Equal($"\"{vector.Text("json_literal")}\"", Encoding.UTF8.GetString(new GoJson().Text(quoted.WrittenSpan).Written.Span));
            Assert.True(GoQuote.TryUnquote(quoted.WrittenSpan, out var back));
            Assert.Equal(raw, back);
        }
    }

    [Theory]
    [InlineData(@"\q")]
    [InlineData(@"\x4")]
    [InlineData(@"\")]
    [InlineData(@"\477")]
    [InlineData(@"\ud800")]
    public void Unknown_escapes_are_refused(string quoted) => Assert.False(GoQuote.TryUnquote(Encoding.ASCII.GetBytes(quoted), out _));

    [Fact]
    public void Octal_escapes_are_read()
    {
        Assert.True(GoQuote.TryUnquote("a\\101\\377"u8, out var raw));
        Assert.Equal([(byte)'a', (byte)'A', 0xff], raw);
    }

    [Fact, Clause("F-7.5")]
    public void Modes_are_gos_bits()
    {
        foreach (var vector in Vector.Of("modes").EnumerateArray())
        {
            var type = Enum.Parse<NodeType>(vector.Text("type"), ignoreCase: true);
            var permissions = Convert.ToInt32(vector.GetProperty("unix").ToString(), 8) & 0xfff;
            var mode = (uint)vector.GetProperty("mode_field").GetInt64();

            Assert.Equal(mode, GoFileMode.Encode(type, permissions));
            Assert.Equal(permissions, GoFileMode.Permissions(mode));
        }
    }

    [Fact, Clause("F-7.6")]
    public void Times_are_read_with_any_offset_and_written_in_utc()
    {
        foreach (var vector in Vector.Of("times").EnumerateArray())
        {
            var time = new UnixTime(vector.GetProperty("unix_seconds").GetInt64(), vector.Int("nanoseconds"));

            Assert.True(GoTime.TryParse(vector.Text("text"), out var read));
            Assert.Equal(time, read);
            if (vector.Int("offset_minutes") == 0) Assert.Equal(vector.Text("text"), GoTime.Format(time));
        }
    }

    [Fact, Clause("F-7.2"), Clause("F-7.3"), Clause("F-7.8")]
    public void Trees_of_stock_restic_read_and_write_back_to_the_same_bytes_and_id()
    {
        foreach (var vector in Vector.Of("trees").EnumerateArray())
        {
            var text = vector.Text("json");
            // version 0.14 lost the bytes of a link target there; nobody can write that text back
            if (text.Contains("ufffd", StringComparison.Ordinal)) continue;
            var json = new GoJson();

            TreeBlob.Write(TreeBlob.Read(Encoding.UTF8.GetBytes(text), "vector"), json);

            Assert.Equal(text, Encoding.UTF8.GetString(json.Written.Span));
            Assert.Equal(vector.Text("id"), Convert.ToHexStringLower(SHA256.HashData(json.Written.Span)));
        }
    }

    [Fact, Clause("F-5.2")]
    public void A_pack_header_of_stock_restic_reads_and_writes_back()
    {
        foreach (var name in (string[])["pack_small", "pack_uncompressed"])
        {
            var vector = Vector.Of(name);
            var header = vector.Hex("header_plaintext");

            var entries = PackHeader.Read(header, name);

            Assert.Equal(header, PackHeader.Write(entries));
            Assert.Equal(vector.GetProperty("entries").EnumerateArray()
                .Select(entry => (entry.Text("id"), entry.Int("offset"), entry.Int("length"))),
                entries.Select(entry => (entry.Id.ToString(), (int)entry.Offset, (int)entry.Length)));
        }
    }

    [Fact]
    public void A_header_entry_cut_short_is_refused_with_its_offset()
    {
        var header = new byte[37 + 10];   // one whole plain entry, then 10 bytes of a second
        header[1] = 33;

        var e = Assert.Throws<RepositoryException>(() => PackHeader.Read(header, "pack x"));

        Assert.Equal("pack x: pack header, offset 37: entry needs 37 bytes, 10 left.", e.Message);
    }

    [Fact, Clause("F-6.2"), Clause("F-7.1")]
    public void Index_and_snapshot_of_stock_restic_read()
    {
        var packs = IndexFile.Read(Encoding.UTF8.GetBytes(Vector.Of("index").Text("json")), "index");
        var snapshot = SnapshotFile.Read(Encoding.UTF8.GetBytes(Vector.Of("snapshot").Text("json")), default);

        Assert.Contains(packs, pack => pack.Id.ToString() == Vector.Of("pack_small").Text("id"));
        Assert.Equal("vec-host", snapshot.HostName);
        Assert.Equal(Vector.Of("snapshot").Text("json"), Encoding.UTF8.GetString(SnapshotFile.Write(snapshot)));
    }

    [Fact, Clause("F-2.1"), Clause("F-2.3")]
    public void The_config_reads_and_writes_back_and_new_polynomials_are_irreducible()
    {
        var text = Vector.Of("config").Text("plaintext");
        var polynomial = Polynomial.RandomIrreducible();

        Assert.Equal(text, Encoding.UTF8.GetString(ConfigFile.Read(Encoding.UTF8.GetBytes(text)).Write()));
        Assert.Equal(53, Polynomial.Degree(polynomial));
        Assert.True(Polynomial.IsIrreducible(polynomial));
        Assert.False(Polynomial.IsIrreducible(polynomial << 1));
    }

    [Fact, Clause("F-2.2")]
    public void Another_version_is_refused_by_name()
    {
        var text = Vector.Of("config").Text("plaintext").Replace("\"version\":2", "\"version\":1", StringComparison.Ordinal);

        var e = Assert.Throws<RepositoryException>(() => ConfigFile.Read(Encoding.UTF8.GetBytes(text)));

        Assert.Equal(RepositoryFault.Unsupported, e.Fault);
        Assert.Contains("version 1", e.Message, StringComparison.Ordinal);
    }

    [Theory, Clause("F-7.3")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("a/b")]
    [InlineData("")]
    public void Names_that_could_leave_a_folder_are_refused_on_reading(string name)
    {
        var text = Vector.Of("trees").EnumerateArray()
            .First(tree => tree.Text("json").Contains("\"name\":\"srv\"", StringComparison.Ordinal)).Text("json");

        var e = Assert.Throws<RepositoryException>(()
            => TreeBlob.Read(Encoding.UTF8.GetBytes(text.Replace("\"name\":\"srv\"", $"\"name\":\"{name}\"", StringComparison.Ordinal)),
                "tree x"));

        Assert.Equal(RepositoryFault.Damaged, e.Fault);
    }
}
