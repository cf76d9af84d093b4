using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>The page that restores without us: what is in it, and when it is not whole any more.</summary>
public sealed class RecoveryKitTests(SchedulerDatabases databases)
{
    static Task<RecoveryKitState> State(Fleet fleet)
        => fleet.Get<ShowRecoveryKit>().Handle(TestNode.Admin, new ShowRecoveryKitRequest(), Fleet.NoStop);

    static async Task<string> Write(Fleet fleet)
        => (await fleet.Get<WriteRecoveryKit>().Handle(TestNode.Admin, new WriteRecoveryKitRequest(), Fleet.NoStop)).Text;

    [Fact]
    public async Task It_is_due_until_it_was_written_and_again_when_a_repository_has_another_place_or_other_credentials()
    {
        await using var fleet = await Fleet.Start(databases);
        Assert.Equal((null, 0), ((await State(fleet)).WrittenAt, (await State(fleet)).Repositories));
        var host = await fleet.AddHost("web-1");
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        Assert.Equal(["web-1 in On the protected host itself is not in it."], (await State(fleet)).Lacks);

        await Write(fleet);
        var written = await State(fleet);
        Assert.Equal((1, "key:test"), (written.Repositories, written.WrittenBy));
        Assert.Empty(written.Lacks);

        var repository = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(),
            Fleet.NoStop));
        var far = await fleet.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "Far",
            Kind = LocationKind.S3,
            Address = "s3:https://far.example.org/backups",
            Options = ["s3.region=eu-far-1"],
            Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "it's secret" },
        }, Fleet.NoStop);
        await fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository.Id, far.Id), Fleet.NoStop);
        Assert.Equal(["web-1 in On the protected host itself lies in a further location since."], (await State(fleet)).Lacks);

        var kit = await Write(fleet);
        Assert.Empty((await State(fleet)).Lacks);
        Assert.Contains($"s3:https://far.example.org/backups/{host}", kit, StringComparison.Ordinal);
        Assert.Contains("    export AWS_SECRET_ACCESS_KEY='it'\\''s secret'\n", kit, StringComparison.Ordinal);
        Assert.Contains("    restic snapshots -o s3.region=eu-far-1\n", kit, StringComparison.Ordinal);

        await fleet.Get<ReplaceLocationCredentials>().Handle(TestNode.Admin, new ReplaceLocationCredentialsRequest
        {
            Id = far.Id,
            Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "another" },
            SkipTest = true,
        }, Fleet.NoStop);
        Assert.Equal(["web-1 in On the protected host itself has other credentials since."], (await State(fleet)).Lacks);
        await fleet.Get<EditLocation>().Handle(TestNode.Admin,
            new EditLocationRequest { Id = far.Id, Name = "Farther", SkipTest = true }, Fleet.NoStop);
        await Write(fleet);
        await fleet.Get<EditLocation>().Handle(TestNode.Admin, new EditLocationRequest { Id = far.Id, Name = "Far" }, Fleet.NoStop);
        Assert.Empty((await State(fleet)).Lacks);
        await fleet.Get<EditLocation>().Handle(TestNode.Admin,
            new EditLocationRequest { Id = far.Id, Name = "Far", Options = ["s3.region=x"], SkipTest = true }, Fleet.NoStop);
        Assert.Equal(["web-1 in On the protected host itself has another address or other settings since."], (await State(fleet)).Lacks);
    }

    [Fact]
    public async Task It_holds_address_password_items_and_the_key_of_the_secrets_and_is_audited()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("web-1");
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        var repository = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(),
            Fleet.NoStop));
        var escape = await fleet.Get<RevealRepositoryPassword>().Handle(TestNode.Admin,
            new RevealRepositoryPasswordRequest(repository.Id), Fleet.NoStop);

        var kit = await Write(fleet);

        Assert.Contains($"    export RESTIC_PASSWORD={ShellWord.Of(escape.Password)}\n", kit, StringComparison.Ordinal);
        Assert.Contains($"    export RESTIC_REPOSITORY={repository.Url}\n", kit, StringComparison.Ordinal);
        Assert.Contains($"{(await fleet.OnlyItem()).Name}, last taken ", kit, StringComparison.Ordinal);
        Assert.Contains(" as aaaaaaaa\n", kit, StringComparison.Ordinal);
        Assert.Matches("printf %s [A-Za-z0-9+/]{43}= \\| base64 -d", kit);
        Assert.All(kit.Split('\n'), line => Assert.True(line.StartsWith("    ", StringComparison.Ordinal) || line.Length <= 130, line));
        var audit = await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), Fleet.NoStop);
        Assert.Equal(("recovery_kit.write", "1 repositories"), (audit.Entries[0].Action, audit.Entries[0].Detail));
        Assert.DoesNotContain(escape.Password, await fleet.Node.Db.Scalar<string>("select string_agg(k::text, '') from recovery_kit k", [],
            Fleet.NoStop), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain/word-1.x:@=", "plain/word-1.x:@=")]
    [InlineData("", "''")]
    [InlineData("a b", "'a b'")]
    [InlineData("$(rm -rf)", "'$(rm -rf)'")]
    [InlineData("it's", "'it'\\''s'")]
    public void A_word_of_the_shell_stays_one(string text, string word) => Assert.Equal(word, ShellWord.Of(text));
}
