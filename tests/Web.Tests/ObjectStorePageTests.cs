using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.Web.Tests.Fixtures;

[assembly: AssemblyFixture(typeof(S3Server))]

namespace BackupDr.Web.Tests;

/// <summary>A person adds a bucket with a mistyped secret, is told so by the test, replaces it, and sees what the bucket does.</summary>
[Collection(Browser.OneVisitor)]
public sealed class ObjectStorePageTests(PostgresServer server, S3Server s3, Browser browser)
{
    const string Mistyped = "a-mistyped-secret";

    [Fact]
    public async Task A_bucket_is_added_tested_and_its_credentials_replaced()
    {
        var address = await s3.NewBucket("fleet");
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await Add(visit, address.ToString());
        await visit.Reads("Not tested yet");
        await visit.Shot("location-untested");
        await visit.Press("Test location");
        await visit.Reads("Not usable");
        await visit.Reads("AWS_SECRET_ACCESS_KEY");
        await visit.Reads("Not tried, because writing failed.");
        await visit.Shot("location-refused");

        await visit.Page.GetByText("Replace them").ClickAsync();
        await visit.Fill("Access key", S3Server.Access);
        await visit.Press("Replace credentials");
        await visit.Reads("The secret key is missing.");
        await visit.Shot("location-half");
        visit.Forgive("400");
        await Replace(visit, Mistyped);
        await visit.Reads("The test with the new credentials failed.");
        await visit.Shot("location-not-replaced");
        visit.Forgive("409");
        await visit.Page.GetByText("Without a test").First.ClickAsync();
        await Replace(visit, S3Server.Secret);
        await visit.Reads("The credentials were replaced after this test.");
        await visit.Page.GetByText("Replace them").ClickAsync();
        await Replace(visit, S3Server.Secret);
        await visit.Reads("The same bytes came back.");
        Assert.DoesNotContain(Mistyped, await visit.Page.ContentAsync(), StringComparison.Ordinal);

        await visit.Page.GetByText("Try object lock too").ClickAsync();
        await visit.Press("Test location");
        await visit.Reads("Everything that was put is gone.");
        await visit.Reads("make a new one with it");
        await visit.Shot("location-tested");
        await visit.Go("/storage");
        await visit.Reads("an object store, to which each agent goes");
        await visit.Shot("location-listed");
        await Edit(visit, address.ToString());
        await visit.Go("/audit");
        await visit.Reads("location.credentials");
        Assert.DoesNotContain(S3Server.Secret, await visit.Page.ContentAsync(), StringComparison.Ordinal);
        visit.IsClean();

        var location = Assert.Single(await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), default));
        Assert.Equal((LocationKind.S3, address.ToString()), (location.Kind, location.Address));
        Assert.Equal(("Bucket of the fleet", "s3.storage-class=COLD"), (location.Name, Assert.Single(location.Options)));
        Assert.NotNull(location.LastTest);
        await visit.Go($"/storage/locations/{location.Id}");
        await visit.Press("Remove location");
        await visit.Shot("location-remove");
        await visit.Press("Remove it");
        await visit.Reads("No location yet");
        Assert.Empty(await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), default));
    }

    static async Task Replace(Visit visit, string secret)
    {
        await visit.Fill("Access key", S3Server.Access);
        await visit.Fill("Secret key", secret);
        await visit.Press("Replace credentials");
    }

    static async Task Edit(Visit visit, string address)
    {
        await visit.Go("/storage");
        await visit.Follow("Bucket");
        await visit.Page.GetByText("Name, address and options").ClickAsync();
        await visit.Shot("location-edit");
        await visit.Fill("Name", "Bucket of the fleet");
        await visit.Fill("Options, one a line", "s3.storage-class=COLD");
        await visit.Page.GetByText("Its certificate is signed by an authority of your own").ClickAsync();
        await visit.Fill("Certificate of that authority", "-----BEGIN CERTIFICATE-----");
        await visit.Press("Save changes");
        await visit.Reads("A server at http:// shows no certificate.");
        await visit.Shot("location-authority");
        visit.Forgive("400");
        await visit.Fill("Certificate of that authority", "");
        await visit.Fill("Address", address.Replace("bucket-", "no-bucket-", StringComparison.Ordinal));
        await visit.Press("Save changes");
        await visit.Reads("The test with the new settings failed.");
        await visit.Shot("location-edit-refused");
        visit.Forgive("409");
        await visit.Fill("Address", address);
        await visit.Press("Save changes");
        await visit.Reads("s3.storage-class=COLD");
        await visit.Sees("Bucket of the fleet");
    }

    static async Task Add(Visit visit, string address)
    {
        await visit.Go("/storage");
        await visit.Follow("Add a location");
        await visit.Follow("Azure Blob");
        await visit.Reads("Connection string");
        await visit.Shot("location-azure");
        await visit.Follow("S3");
        await visit.Reads("Secret key");
        await visit.Fill("Name", "Bucket");
        await visit.Fill("Address", "s3:https://host-without-bucket");
        await visit.Press("Add location");
        await visit.Reads("the bucket is missing");
        await visit.Shot("location-address");
        visit.Forgive("400");
        await visit.Fill("Address", address);
        await visit.Fill("Access key", S3Server.Access);
        await visit.Fill("Secret key", Mistyped);
        await visit.Fill("Options, one a line", "s3.region=us-east-1\n\n");
        await visit.Press("Add location");
    }
}
