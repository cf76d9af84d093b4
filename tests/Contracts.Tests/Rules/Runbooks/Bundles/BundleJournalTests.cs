using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules.Runbooks.Bundles;

public sealed class BundleJournalTests : IDisposable
{
    static readonly CancellationToken NoStop = CancellationToken.None;
    readonly SampleBundle _sample = new();

    /// <summary>The lines of an execution whose first step was done: head, certificate, begin, note, two events.</summary>
    List<string> Lines()
    {
        var lines = new List<string> { BundleJournal.Head(_sample.Own.ExportSubjectPublicKeyInfo(), Drive.Start) };
        var (seq, previous) = (0, HashChain.Start);
        void Add(string kind, string body)
        {
            var record = new EvidenceRecord(++seq, previous, $"id_{seq}", HashChain.Moment(Drive.Start), kind, "exec_1", body);
            (var line, previous) = BundleJournal.Record(record, Sign);
            lines.Add(line);
        }
        Add(BundleJournal.Bundle, BundleJournal.Body(BundleFile.Read(Encoding.UTF8.GetBytes(_sample.Write())).Certificate,
            BundleJson.Default.BundleCertificate));
        Add(BundleJournal.Begun, BundleJournal.Body(new BundleBegin
        {
            Head = HashChain.Hash(lines[0]),
            Mode = ExecutionMode.Disaster,
            At = Drive.Start,
            By = "bob",
            Why = "the site is gone",
            Machine = "site-b",
            Guard = "noted in 1 of 1 places",
            Spec = JsonSerializer.Serialize(SampleBundle.Spec, WireJson.Default.RunbookSpec),
        }, BundleJson.Default.BundleBegin));
        Add(BundleJournal.Note, BundleJournal.Body(new BundleNote("names", 1, new Dictionary<string, string> { ["was"] = "192.0.2.1" }),
            BundleJson.Default.BundleNote));
        Add(BundleJournal.Event, BundleJournal.Body(Done(TimeSpan.FromSeconds(3)), BundleJson.Default.ExecutionEvent));
        Add(BundleJournal.Event, BundleJournal.Body(new ExecutionEvent
        {
            Kind = ExecutionEventKind.TimePassed,
            At = Drive.Start + TimeSpan.FromMinutes(2),
        }, BundleJson.Default.ExecutionEvent));
        return lines;
    }

    static ExecutionEvent Done(TimeSpan after) => new()
    {
        Kind = ExecutionEventKind.Reported,
        At = Drive.Start + after,
        Step = "names",
        Attempt = 1,
        Outcome = ActivityOutcome.Succeeded,
        Text = "It says 192.0.2.2 now.",
        Outputs = new Dictionary<string, string> { ["before"] = "192.0.2.1" },
    };

    byte[] Sign(string hash) => EvidenceSignature.Sign(_sample.Own, hash);

    static byte[] Bytes(IEnumerable<string> lines) => Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));

    byte[] Closed(List<string> lines) => Bytes([.. lines, BundleJournal.Close(lines, Sign)]);

    [Fact]
    public async Task An_open_one_is_read_and_gives_the_state_that_its_events_make()
    {
        var read = await BundleJournal.Read(Bytes(Lines()), Sign, NoStop);
        var graph = new RunbookGraph(read.Spec);
        var (state, events) = read.Replay(graph);

        Assert.False(read.IsClosed);
        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Succeeded), (state.Phase, state.Outcome));
        Assert.Equal("192.0.2.1", state.Steps[0].Outputs["before"]);
        Assert.Equal([null, ExecutionEventKind.Reported, ExecutionEventKind.TimePassed], events.Select(one => one.Event?.Kind));
        Assert.Equal(("bob", "exec_1", "192.0.2.1"), (read.Begin.By, read.Execution, Assert.Single(read.Notes).Notes["was"]));
        Assert.NotNull(BundleFile.Certified(read.Certificate, (hash, signature)
            => EvidenceSignature.Fits(_sample.Installation, hash, signature)));
    }

    [Fact]
    public async Task A_last_line_that_was_being_written_when_the_writer_died_is_left_out()
    {
        var lines = Lines();
        var whole = Bytes(lines[..^1]);
        for (var cut = 1; cut < lines[^1].Length; cut += 97)
        {
            var read = await BundleJournal.Read([.. whole, .. Encoding.UTF8.GetBytes(lines[^1][..cut])], Sign, NoStop);
            Assert.Equal((whole.Length, 4), (read.Length, read.Records.Count));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_altered_byte_is_refused_and_its_line_named(bool isClosed)
    {
        var lines = Lines();
        var bytes = isClosed ? Closed(lines) : Bytes(lines);
        var line = 1;
        for (var at = 0; at < bytes.Length; at++)
        {
            var isEnd = bytes[at] == '\n';
            if (at % 61 == 0 && !isEnd)
            {
                var altered = (byte[])bytes.Clone();
                altered[at] ^= 1;
                var refused = await Assert.ThrowsAsync<ConflictException>(() => BundleJournal.Read(altered, isClosed ? null : Sign,
                    NoStop));
                Assert.Equal("bundle.altered", refused.Code);
                Assert.True(Regex.IsMatch(refused.Message, $@"line {line}\b"),
                    $"byte {at}, line {line}: {refused.Message}");
            }
            if (isEnd) line++;
        }
    }

    [Fact]
    public async Task A_line_that_was_left_out_or_moved_is_found()
    {
        var lines = Lines();
        foreach (var odd in (List<string>[])[[.. lines[..3], .. lines[4..]], [.. lines[..3], lines[4], lines[3], lines[5]]])
            Assert.Equal("bundle.altered", (await Assert.ThrowsAsync<ConflictException>(() => BundleJournal.Read(Bytes(odd), Sign, NoStop)))
                .Code);
    }

    [Fact]
    public async Task One_that_is_not_closed_cannot_be_merged()
    {
        var refused = await Assert.ThrowsAsync<ConflictException>(() => BundleJournal.Read(Bytes(Lines()), null, NoStop));
        Assert.Equal("bundle.unfinished", refused.Code);
        Assert.True((await BundleJournal.Read(Closed(Lines()), null, NoStop)).IsClosed);
    }

    [Fact]
    public async Task Any_check_of_evidence_verifies_it()
    {
        var verdict = await EvidenceCheck.Run(new MemoryStream(Closed(Lines())), NoStop);
        Assert.Equal((true, 5L), (verdict.Holds, verdict.Records));
    }

    public void Dispose() => _sample.Dispose();
}
