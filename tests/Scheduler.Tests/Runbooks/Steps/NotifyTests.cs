using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Alerts;
using BackupDr.Scheduler.Tests.Fixtures;
using static BackupDr.Scheduler.Tests.Runbooks.Steps.StepBench;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>People are told once, through the channels of alerts; and what steps keep in the database.</summary>
public sealed class NotifyTests(SchedulerDatabases databases)
{
    static Task<AlertChannel> Channel(TestNode node, WebSink sink, string name, bool isPaused = false)
        => node.Get<SaveChannel>().Handle(TestNode.Admin, new SaveChannelRequest
        {
            Name = name,
            Kind = ChannelKind.Webhook,
            Settings = new ChannelSettings { Url = sink.Url + $"/{name}" },
            IsPaused = isPaused,
        }, default);

    static StepSpec Tell(params string[] channels) => Step(StepKind.Notify, step => step with
    {
        Notify = new NotifySpec { Channels = channels, Subject = "The shop moves", Text = "To the other site.\r\nNow." },
    });

    [Fact]
    public async Task An_activity_tells_once_however_often_it_is_carried_out()
    {
        await using var node = await TestNode.Start(databases);
        await using var sink = await WebSink.Start();
        await Channel(node, sink, "ops");
        await Channel(node, sink, "boss");
        await Channel(node, sink, "asleep", isPaused: true);
        var executor = node.Get<IEnumerable<IStepExecutor>>().Single(one => one.Kind == StepKind.Notify);

        Is(ActivityOutcome.Succeeded, "Not told: it would go to boss, ops", await executor.CarryOut(Work(Tell(), StepActivity.Simulate),
            NoStop));
        Assert.Equal(0, await node.Get<DeliverMessages>().Run(NoStop));
        var done = await executor.CarryOut(Work(Tell("OPS")), NoStop);
        Is(ActivityOutcome.Succeeded, "Told ops.", done);
        Assert.Equal(done, await executor.CarryOut(Work(Tell("OPS")), NoStop) with { Outputs = done.Outputs });
        await node.Get<DeliverMessages>().Run(NoStop);
        await executor.CarryOut(Work(Tell("OPS")), NoStop);   // after it was sent, too
        await node.Get<DeliverMessages>().Run(NoStop);

        var posted = Assert.Single(sink.Taken);
        var content = JsonSerializer.Deserialize(posted.Body, WireJson.Default.MessageContent)!;
        Assert.Equal(("/ops", "runbook", "The shop moves", "To the other site.\nNow.\n", done.Outputs!["messages"]),
            (posted.Path, content.Type, content.Subject, content.Text, content.Id.ToString()));
        // The next attempt, and a rehearsal that is to tell, are messages of their own.
        await executor.CarryOut(Work(Tell(), attempt: 2), NoStop);
        await executor.CarryOut(Work(Tell("ops"), mode: ExecutionMode.Rehearsal, attempt: 3), NoStop);
        while (await node.Get<DeliverMessages>().Run(NoStop) > 0) { /* until nothing waits any more */ }
        Assert.Equal(["/boss The shop moves", "/ops Rehearsal: The shop moves", "/ops The shop moves", "/ops The shop moves"],
            sink.Taken.Select(one => $"{one.Path} {JsonSerializer.Deserialize(one.Body, WireJson.Default.MessageContent)!.Subject}")
                .Order(StringComparer.Ordinal));

        Is(ActivityOutcome.Failed, "The channel 'asleep' is paused. Nobody was told.",
            await executor.CarryOut(Work(Tell("asleep")), NoStop));
        Is(ActivityOutcome.Failed, "There is no channel 'gone'", await executor.CarryOut(Work(Tell("ops", "gone")), NoStop));
        Assert.Equal("steps.step.notify.channels", Assert.Single(await executor.Evaluate(Work(Tell("gone")), NoStop)).Place);
        Assert.Empty(await executor.Evaluate(Work(Tell()), NoStop));
    }

    [Fact]
    public async Task A_node_has_an_executor_for_each_of_its_kinds_and_keeps_their_secrets_sealed()
    {
        await using var node = await TestNode.Start(databases);
        Assert.Superset(
            new HashSet<StepKind> { StepKind.Http, StepKind.DnsChange, StepKind.LbSwitch, StepKind.HealthWait, StepKind.Notify },
            node.Get<IEnumerable<IStepExecutor>>().Select(one => one.Kind).ToHashSet());
        Task<StepSecret> Save(string name, string value)
            => node.Get<SaveStepSecret>().Handle(TestNode.Admin, new SaveStepSecretRequest { Name = name, Value = value }, NoStop);

        await Save("dns-key", "former");
        await Save("dns-key", "c2VjcmV0");
        await Save("token", "x");
        Assert.Equal("c2VjcmV0", (await node.Get<IStepSecrets>().Find("dns-key", NoStop))!.Reveal());
        var stored = await node.Db.First("select value_sealed from step_secret where name = 'dns-key'", [], row => row.Bytes(0), NoStop);
        Assert.True(stored!.AsSpan().IndexOf("c2VjcmV0"u8) < 0);
        await node.Get<RemoveStepSecret>().Handle(TestNode.Admin, new RemoveStepSecretRequest("token"), NoStop);
        Assert.Equal(["dns-key"], (await node.Get<ListStepSecrets>().Handle(TestNode.Admin, new ListStepSecretsRequest(), NoStop))
            .Select(one => one.Name));
        Assert.Null(await node.Get<IStepSecrets>().Find("token", NoStop));
        await Assert.ThrowsAsync<NotFoundException>(() => node.Get<RemoveStepSecret>().Handle(TestNode.Admin, new("token"), NoStop));
        await Assert.ThrowsAsync<BadInputException>(() => Save("Bad Name", "x"));
        await Assert.ThrowsAsync<BadInputException>(() => Save("empty", ""));
    }

    [Fact]
    public async Task What_a_step_noted_first_stays_for_whoever_takes_over()
    {
        await using var node = await TestNode.Start(databases);
        var (notes, work) = (node.Get<IStepNotes>(), Work(Tell()));
        static Dictionary<string, string> Note(string value) => new() { ["old"] = value };

        Assert.True((await notes.Keep(work, Note("a"), NoStop)).IsFirst);
        var second = await notes.Keep(work, Note("b"), NoStop);
        Assert.Equal((false, "a"), (second.IsFirst, second.Notes["old"]));
        Assert.True((await notes.Keep(work with { Attempt = 2 }, Note("c"), NoStop)).IsFirst);
        Assert.True((await notes.Keep(work with { Execution = "execution_2" }, Note("d"), NoStop)).IsFirst);
        Assert.Equal(["a", "c"], (await notes.All(work, NoStop)).Select(note => note["old"]));
        await node.PassTime(TimeSpan.FromDays(367));
        await notes.Keep(work with { Attempt = 3 }, Note("e"), NoStop);
        Assert.Equal(["e"], (await notes.All(work, NoStop)).Select(note => note["old"]));
    }
}
