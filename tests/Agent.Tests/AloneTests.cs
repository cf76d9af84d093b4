using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Agent.Alone;
using BackupDr.Agent.Doctor;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>What a host keeps on its disk for times without a node.</summary>
public sealed class AloneTests : IDisposable
{
    static readonly DateTimeOffset Now = new(2031, 5, 1, 12, 0, 0, TimeSpan.Zero);
    static readonly ItemId Item = ItemId.New(TimeProvider.System);
    static readonly RepositoryId Repository = RepositoryId.New(TimeProvider.System);

    readonly ScratchFolder _scratch = new();
    readonly AgentState _state;

    public AloneTests()
    {
        _state = new AgentState(_scratch.Folder("state"));
        File.WriteAllText(_state.MembershipFile,
            $$"""{ "host": "{{HostId.New(TimeProvider.System)}}", "hostName": "web-1", "urls": ["https://node1:8421/"] }""");
        var (key, certificate) = NewKey();
        File.WriteAllText(_state.AuthorityFile, certificate);
        File.WriteAllText(_state.CertificateFile, certificate);
        File.WriteAllText(_state.KeyFile, key);
    }

    public void Dispose() => _scratch.Dispose();

    static (string Key, string Certificate) NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        return (key.ExportPkcs8PrivateKeyPem(), certificate.ExportCertificatePem());
    }

    static readonly AlonePlan Plan = new()
    {
        After = TimeSpan.FromMinutes(15),
        Lasts = TimeSpan.FromDays(7),
        Parts =
        [
            new AlonePart
            {
                Item = Item,
                Policy = PolicyId.New(TimeProvider.System),
                Name = "/srv",
                Schedule = new ScheduleSpec(),
                Backup = new BackupJob
                {
                    Source = new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv")] } },
                    HostName = "web-1",
                },
                Repository = Repository,
            },
        ],
        Repositories = [new RepositoryAccess { Id = Repository, Url = "/backups", Password = "the-very-secret-password" }],
    };

    static AloneRun Run(int number, int lines = 0) => new()
    {
        Id = RunId.From(new Guid(number, 0, 0, new byte[8])),
        Policy = Plan.Parts[0].Policy,
        Item = Item,
        NominalAt = Now.AddHours(number),
        Repository = Repository,
        Title = "/srv",
        AloneSince = Now,
        StartedAt = Now.AddHours(number),
        EndedAt = Now.AddHours(number).AddMinutes(1),
        Result = new JobResult { Outcome = JobOutcome.Complete },
        Events = [.. Enumerable.Range(0, lines).Select(line => new RunEventLine(Now, EventLevel.Info, "test.line", new string('x', 100)))],
    };

    AloneQueue Queue(long most = AloneQueue.MostBytes) => new(_state.AloneFolder, most);

    [Fact]
    public void A_plan_is_sealed_on_disk_and_opened_by_the_hosts_key_alone()
    {
        using var identity = AgentIdentity.Load(_state);
        identity.Heed(new TermMark(2, "seal"));
        var plans = new AlonePlans(_state, identity);
        Assert.Same(KeptPlan.None, plans.Kept);
        plans.Keep(new KeptPlan("mark", 2, Plan));
        var file = Path.Combine(_state.AloneFolder, "plan.sealed");
        var text = File.ReadAllText(file);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.DoesNotContain("very-secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String("very-secret"u8)[..8], text, StringComparison.Ordinal);
        var again = new AlonePlans(_state, identity).Kept;
        Assert.Equal(("mark", 2L, "the-very-secret-password"), (again.Mark, again.Term, again.Plan.Repositories[0].Password));
        Assert.True(plans.IsOfLatestTerm);
        identity.Heed(new TermMark(3, "seal"));
        Assert.False(plans.IsOfLatestTerm);   // a later control plane has begun, and was not asked

        var (key, certificate) = NewKey();
        identity.Renewed(key, certificate);
        Assert.NotNull(AlonePlans.Read(_state).Problem);
        plans.FollowKey();
        Assert.Equal("mark", AlonePlans.Read(_state).Plan?.Mark);

        var made = Convert.FromBase64String(File.ReadAllText(file));
        made[^5] ^= 1;
        File.WriteAllText(file, Convert.ToBase64String(made));
        Assert.NotNull(AlonePlans.Read(_state).Problem);
        Assert.Same(KeptPlan.None, new AlonePlans(_state, identity).Kept);   // and is asked for again
    }

    [Fact]
    public void Runs_are_there_again_in_their_order_after_a_kill_and_those_without_an_end_are_interrupted()
    {
        var queue = Queue();
        foreach (var number in (int[])[3, 1, 2]) queue.Begin(Run(number));
        queue.End(Run(3));
        queue.End(Run(1));

        var again = Queue();

        Assert.Equal([Run(1).Id, Run(3).Id], again.Next(9).Select(run => run.Id));
        Assert.Equal(Run(1).Id, Assert.Single(again.Next(1)).Id);
        Assert.Equal(Run(2).Id, Assert.Single(again.Interrupted()).Id);
        Assert.Equal(2, again.Waiting);
        again.Forget(Run(1).Id);
        Assert.Equal(Run(3).Id, Assert.Single(Queue().Next(9)).Id);
    }

    [Theory]
    [InlineData(0)]      // torn at its begin
    [InlineData(40)]     // in its mark
    [InlineData(300)]    // in its middle
    [InlineData(-1)]     // altered, not torn
    public void A_file_that_is_torn_or_altered_is_set_aside_and_the_others_are_told(int length)
    {
        var queue = Queue();
        queue.End(Run(1));
        queue.End(Run(2));
        var file = Path.Combine(_state.AloneFolder, $"{Run(1).Id}.run");
        var text = File.ReadAllText(file);
        File.WriteAllText(file, length < 0 ? text.Replace("Complete", "Failed", StringComparison.Ordinal) : text[..length]);

        var again = Queue();

        Assert.Equal(Run(2).Id, Assert.Single(again.Next(9)).Id);
        Assert.Equal((1, 1), (again.Waiting, again.DamagedFiles));
        Assert.True(File.Exists(file + ".damaged"));
    }

    [Fact]
    public void Lines_of_the_oldest_logs_are_dropped_in_words_and_no_outcome_is()
    {
        var queue = Queue(most: 40_000);
        for (var number = 1; number <= 20; number++) queue.End(Run(number, lines: 20));

        var told = Queue(most: 40_000).Next(20);

        Assert.Equal(20, told.Count);
        Assert.Equal("run.log_dropped", Assert.Single(told[0].Events).Code);
        Assert.Equal(20, told[^1].Events.Count);
        Assert.InRange(Directory.EnumerateFiles(_state.AloneFolder).Sum(one => new FileInfo(one).Length), 1, 40_000);
    }

    [Fact]
    public void What_was_made_and_what_nodes_settled_is_there_again()
    {
        var ledger = new AloneLedger(_state);
        Assert.Null(ledger.Of(Item).Since);
        ledger.Settle([new AloneSettled(Item, Now)]);
        for (var hour = 1; hour <= 20; hour++) ledger.Cover(Item, Now.AddHours(hour), Now.AddHours(hour).AddMinutes(1));

        var (since, done) = new AloneLedger(_state).Of(Item);

        Assert.Equal((Now, 16), (since, done.Count));
        Assert.Equal(new DealtWith(Now.AddHours(20), Now.AddHours(20).AddMinutes(1)), done[^1]);
        new AloneLedger(_state).Settle([new AloneSettled(Item, Now.AddHours(19))]);
        Assert.Equal(2, new AloneLedger(_state).Of(Item).Done.Count);   // one that nodes do not know of, and one that ended later
        File.WriteAllText(Path.Combine(_state.AloneFolder, "done.json"), "{ torn");
        Assert.Null(new AloneLedger(_state).Of(Item).Since);   // nothing is made alone before a node has told
    }

    [Fact]
    public void A_host_is_alone_after_long_silence_and_not_where_a_node_refuses_it()
    {
        var (clock, after) = (new SteppedTime(Now), TimeSpan.FromMinutes(15));
        var away = new UnavailableException("node.unreachable", "No node.");
        var contact = new Contact(_state, clock, clock);
        clock.Advance(TimeSpan.FromMinutes(20));
        Assert.False(contact.IsAlone(after, 2));   // nobody was asked
        contact.Failed(away);
        Assert.True(contact.IsAlone(after, 2));
        contact.Answered();
        contact.Failed(away);
        Assert.False(contact.IsAlone(after, 2));
        clock.Advance(after);
        Assert.True(contact.IsAlone(after, 2));
        contact.Failed(new DeniedException("The host was retired."));
        Assert.False(contact.IsAlone(after, 2));
        contact.Failed(new ConflictException(AgentProtocol.Superseded, "A later one has begun."));
        Assert.False(contact.IsAlone(after, 2));

        // After a restart in the middle of it, each address is asked once, and no silence is waited for again.
        var again = new Contact(_state, clock, clock);
        again.Failed(away);
        Assert.False(again.IsAlone(after, 2));
        again.Failed(away);
        Assert.True(again.IsAlone(after, 2));
        Assert.Equal(Now.AddMinutes(20), again.AnsweredAt);
    }

    [Fact]
    public void The_doctor_says_what_is_backed_up_alone_and_until_when()
    {
        Check(Health.Remark, "no node has told", Verdicts.Alone((null, null), null, (0, 0), Now));
        Check(Health.Remark, "cannot be opened", Verdicts.Alone((null, "altered"), Now, (0, 0), Now));
        Check(Health.Good, "1 item(s) of 1 policies are backed up until 2031-05-08", Verdicts.Alone((Plan, null), Now, (3, 0), Now));
        Check(Health.Good, "3 backup(s) made alone wait", Verdicts.Alone((Plan, null), Now, (3, 0), Now));
        Check(Health.Remark, "nothing is backed up alone any more", Verdicts.Alone((Plan, null), Now.AddDays(-8), (0, 0), Now));
        Check(Health.Good, "behind the gateway", Verdicts.Alone((Plan with { Parts = [], LeftOut = ["It lies behind the gateway."] }, null),
            Now, (0, 0), Now));
        Check(Health.Remark, "damaged", Verdicts.Alone((Plan, null), Now, (0, 2), Now));

        static void Check(Health health, string words, Finding finding)
        {
            Assert.Equal(health, finding.Health);
            Assert.Contains(words, finding.Text, StringComparison.Ordinal);
        }
    }
}
