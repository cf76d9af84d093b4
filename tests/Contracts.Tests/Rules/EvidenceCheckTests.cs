using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>Whatever is done to an export, its verification says so and names the record.</summary>
public sealed class EvidenceCheckTests : IDisposable
{
    const int Records = 4;

    readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Dispose() => _key.Dispose();

    string[] Lines(int count = Records, ECDsa? key = null)
    {
        key ??= _key;
        var head = EvidenceFile.Head(key.ExportSubjectPublicKeyInfo(), 1, HashChain.Start, DateTimeOffset.UnixEpoch);
        var (lines, previous) = (new List<string> { head }, HashChain.Start);
        for (var seq = 1; seq <= count; seq++)
        {
            var record = Record(seq, previous);
            lines.Add(EvidenceFile.Record(record, record.Hash, EvidenceSignature.Sign(key, record.Hash)));
            previous = record.Hash;
        }
        var end = EvidenceFile.End(head, count, count, previous, count, previous);
        return [.. lines, EvidenceFile.EndLine(end, EvidenceSignature.Sign(key, HashChain.Hash(end)))];
    }

    static EvidenceRecord Record(long seq, string previous) => new(seq, previous, $"ev_{seq}",
        HashChain.Moment(DateTimeOffset.UnixEpoch.AddDays(seq)), "drill", $"item_{seq}",
        $$"""{"reason":"é \u007f \"{{seq}}\"","result":"Proven"}""");

    static Task<EvidenceVerdict> Check(IEnumerable<string> lines) => Check(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line
        + "\n"))));

    static async Task<EvidenceVerdict> Check(byte[] bytes)
        => await EvidenceCheck.Run(new MemoryStream(bytes), CancellationToken.None);

    static void Names(EvidenceVerdict verdict, long? record, string what)
    {
        Assert.False(verdict.Holds, $"{what}: nothing was found.");
        Assert.True(verdict.Problems.Any(problem => problem.Record == record),
            $"{what}: expected record {record}, found {string.Join(" | ", verdict.Problems.Select(problem => problem.Text))}");
    }

    [Fact]
    public async Task What_was_exported_holds_and_says_what_it_is()
    {
        var lines = Lines();
        var verdict = await Check(lines);

        Assert.Empty(verdict.Problems);
        Assert.Equal((Records, 1L, (long?)Records, (long?)Records), (verdict.Records, verdict.From, verdict.To, verdict.ChainSeq));
        Assert.Equal(EvidenceSignature.Fingerprint(_key.ExportSubjectPublicKeyInfo()), verdict.Fingerprint);
        Assert.All(lines, line => Assert.Equal(line, CanonicalJson.Write(line)));
        Assert.True((await Check(Lines(count: 0))).Holds);
    }

    [Fact]
    public async Task Every_single_changed_byte_is_found_and_named()
    {
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Lines(2).Select(line => line + "\n")));
        var line = 0;
        for (var at = 0; at < bytes.Length; at++)
        {
            var changed = (byte[])bytes.Clone();
            changed[at] ^= 1;
            var verdict = await Check(changed);

            // A last line that cannot be read may have been a record: it is told as either.
            if (line == 3) Assert.False(verdict.Holds, $"byte {at} in the closing line");
            else Names(verdict, line is 1 or 2 ? line : null, $"byte {at} in line {line + 1}");
            if (bytes[at] == '\n') line++;
        }
    }

    public static TheoryData<string, int> EachMember
    {
        get
        {
            var rows = new TheoryData<string, int>();
            foreach (var member in (string[])["at", "body", "id", "kind", "previous", "seq", "subject", "hash", "signature"])
                for (var record = 1; record <= Records; record++) rows.Add(member, record);
            return rows;
        }
    }

    [Theory, MemberData(nameof(EachMember))]
    public async Task A_changed_member_names_its_record_alone(string member, int record)
    {
        var lines = Lines();
        var begin = lines[record].IndexOf($"\"{member}\":\"", StringComparison.Ordinal) + member.Length + 4;
        // Another letter or digit of the same alphabet, so that nothing but the value is wrong.
        var old = lines[record][begin];
        var other = char.IsAsciiDigit(old) ? (char)('0' + ((old - '0' + 5) % 10)) : old == '{' ? '{' : old == 'a' ? 'b' : 'a';
        lines[record] = old == '{' ? lines[record].Replace("Proven", "Failed", StringComparison.Ordinal)
            : $"{lines[record][..begin]}{other}{lines[record][(begin + 1)..]}";

        var verdict = await Check(lines);

        Names(verdict, record, member);
        if (member is not "seq") Assert.All(verdict.Problems, problem => Assert.Equal(record, problem.Record));
        Assert.Contains(record.ToString(CultureInfo.InvariantCulture), verdict.Problems[0].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(Records)]
    public async Task A_record_that_was_left_out_doubled_or_moved_is_named(int record)
    {
        var lines = Lines().ToList();
        Names(await Check(lines.Where((_, at) => at != record)), record, "left out");
        Names(await Check([.. lines.Take(record + 1), lines[record], .. lines.Skip(record + 1)]), record, "doubled");
        var other = record == Records ? 1 : record + 1;
        (lines[record], lines[other]) = (lines[other], lines[record]);
        Names(await Check(lines), Math.Min(record, other), "moved");
    }

    [Fact]
    public async Task A_file_that_was_cut_anywhere_is_found()
    {
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Lines(2).Select(line => line + "\n")));
        for (var length = 0; length < bytes.Length; length += 7) Assert.False((await Check(bytes[..length])).Holds, $"cut to {length}");
        var lines = Lines();
        for (var kept = 1; kept <= Records; kept++) Names(await Check(lines.Take(kept + 1)), kept, "cut after a record");
        Assert.False((await Check([.. lines, lines[1]])).Holds);
        Assert.False((await Check([.. lines, ""])).Holds);
    }

    [Fact]
    public async Task The_closing_line_of_a_shorter_export_does_not_close_a_longer_one_nor_the_other_way_round()
    {
        var (longer, shorter) = (Lines(), Lines(2));

        Assert.False((await Check([.. longer[..^1], shorter[^1]])).Holds);
        Names(await Check([.. longer[..3], longer[^1]]), 3, "the last two were cut off, the end is the old one");
    }

    [Fact]
    public async Task A_record_made_anew_with_another_key_is_named_and_a_whole_file_made_anew_has_another_fingerprint()
    {
        using var forger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (lines, forged) = (Lines(), Lines(key: forger));
        var mine = EvidenceSignature.Fingerprint(_key.ExportSubjectPublicKeyInfo());

        Names(await Check([.. lines[..2], forged[2], .. lines[3..]]), 2, "a forged record");
        var whole = await Check(forged);
        Assert.True(whole.Holds);
        Assert.NotEqual(mine, whole.Fingerprint);
        Assert.False((await Check([lines[0], .. forged[1..]])).Holds);
    }
}
