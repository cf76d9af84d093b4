using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>An export is believed without a node, by our program and by openssl.</summary>
public sealed class EvidenceCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Dispose()
    {
        _key.Dispose();
        _scratch.Dispose();
    }

    string Fingerprint => EvidenceSignature.Fingerprint(_key.ExportSubjectPublicKeyInfo());

    string[] Lines()
    {
        var head = EvidenceFile.Head(_key.ExportSubjectPublicKeyInfo(), 1, HashChain.Start, DateTimeOffset.UnixEpoch);
        var (lines, previous) = (new List<string> { head }, HashChain.Start);
        for (var seq = 1; seq <= 3; seq++)
        {
            // Characters that tools write differently: a quote, a backslash, DEL, a control character, letters beyond ASCII.
            var body = CanonicalJson.Write($$"""{"result":"Proven","reason":"é \"x\" \\ \u007f\u0001 🙂 ,\"hash\":","n":"{{seq}}"}""");
            var record = new EvidenceRecord(seq, previous, $"ev_{seq}", HashChain.Moment(DateTimeOffset.UnixEpoch), "drill", "item_1",
                body);
            lines.Add(EvidenceFile.Record(record, record.Hash, EvidenceSignature.Sign(_key, record.Hash)));
            previous = record.Hash;
        }
        var end = EvidenceFile.End(head, 3, 3, previous, 3, previous);
        return [.. lines, EvidenceFile.EndLine(end, EvidenceSignature.Sign(_key, HashChain.Hash(end)))];
    }

    string Write(IEnumerable<string> lines) => _scratch.File("evidence.jsonl", string.Concat(lines.Select(line => line + "\n")));

    [Fact]
    public void Verify_says_that_it_holds_and_whose_it_is()
    {
        var file = Write(Lines());

        var plain = BackupdrProgram.Run("evidence", "verify", file);
        var pinned = BackupdrProgram.Run("evidence", "verify", file, "--fingerprint", Fingerprint, "--json");
        var other = BackupdrProgram.Run("evidence", "verify", file, "--fingerprint", new string('a', 64));

        Assert.Equal((0, ""), (plain.ExitCode, plain.Errors));
        Assert.Contains($"3 records, unchanged and complete, signed with the key {Fingerprint}", plain.Output, StringComparison.Ordinal);
        Assert.Contains("Whose key that is the file cannot prove", plain.Output, StringComparison.Ordinal);
        using var answer = JsonDocument.Parse(pinned.Output);
        Assert.Equal((0, true, 3), (pinned.ExitCode, answer.RootElement.GetProperty("holds").GetBoolean(),
            answer.RootElement.GetProperty("records").GetInt32()));
        Assert.Equal(21, other.ExitCode);
        Assert.Contains($"signed with the key {Fingerprint}, not with aaaa", other.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_names_what_was_changed_and_ends_with_21()
    {
        var lines = Lines();
        lines[2] = lines[2].Replace("Proven", "Failed", StringComparison.Ordinal);
        var changed = BackupdrProgram.Run("evidence", "verify", Write(lines));
        var cut = BackupdrProgram.Run("evidence", "verify", Write(Lines()[..3]), "--json");

        Assert.Equal(21, changed.ExitCode);
        Assert.Contains("record 2 (drill ev_2) was changed", changed.Output, StringComparison.Ordinal);
        Assert.Equal(21, cut.ExitCode);
        using var answer = JsonDocument.Parse(cut.Output);
        Assert.Equal(2, Assert.Single(answer.RootElement.GetProperty("problems").EnumerateArray()).GetProperty("record").GetInt32());
    }

    [Fact]
    public void What_cannot_be_read_is_refused_with_what_to_do()
    {
        var missing = BackupdrProgram.Run("evidence", "verify", _scratch.At("missing"));
        var wrong = BackupdrProgram.Run("evidence", "verify", Write(Lines()), "--fingerprint", "abc");
        var key = BackupdrProgram.Run("evidence", "export", _scratch.At("out"), "--url", "http://127.0.0.1:1", "--api-key-file",
            _scratch.At("missing"));
        var node = BackupdrProgram.Run("evidence", "export", _scratch.At("out"), "--url", "http://127.0.0.1:1", "--api-key-file",
            _scratch.File("key", "secret"));

        Assert.All([missing, wrong, key, node], result => Assert.Equal(1, result.ExitCode));
        Assert.Contains("cannot be read", missing.Errors, StringComparison.Ordinal);
        Assert.Contains("64 hex characters", wrong.Errors, StringComparison.Ordinal);
        Assert.Contains("The API key cannot be read", key.Errors, StringComparison.Ordinal);
        Assert.Contains("cannot be reached", node.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(_scratch.At("out")));
    }

    [Fact]
    public void Every_command_of_the_page_works_as_written_and_finds_a_change()
    {
        Tool.Need("jq", "jq");
        var commands = Documents.Commands("docs/operate/evidence.md");
        Assert.True(commands.Count >= 15, $"{commands.Count} commands were found on the page.");

        var good = ByHand(commands, Lines());
        var changed = Lines();
        changed[1] = changed[1].Replace("Proven", "Failed", StringComparison.Ordinal);
        var swapped = Lines();
        (swapped[2], swapped[3]) = (swapped[3], swapped[2]);

        Assert.True(good.ExitCode == 0, good.Output + good.Errors);
        Assert.Contains("\"result\": \"Proven\"", good.Output, StringComparison.Ordinal);
        Assert.NotEqual(0, ByHand(commands, changed).ExitCode);
        Assert.NotEqual(0, ByHand(commands, swapped).ExitCode);
        Assert.NotEqual(0, ByHand(commands, [.. Lines()[..3], Lines()[4]]).ExitCode);
    }

    ToolResult ByHand(IReadOnlyList<string> commands, string[] lines)
    {
        var folder = Path.GetDirectoryName(Write(lines))!;
        return Tool.Run("sh", ["-c", string.Join('\n', [$"cd '{folder}' || exit 9", "set -e", .. commands])]);
    }
}
