using System.Text.Json;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Contracts.Tests;

public sealed class SecretTests
{
    const string Password = "correct horse battery staple";

    [Fact]
    public void A_secret_has_no_text_form()
    {
        using var secret = Secret.FromText(Password);

        Assert.Equal("***", secret.ToString());
        Assert.Equal("***", $"{secret}");
        Assert.Equal(Password, secret.Reveal());
    }

    [Fact]
    public void A_secret_is_wiped_when_it_is_disposed()
    {
        var secret = Secret.FromText(Password);
        secret.Dispose();

        Assert.True(secret.Bytes.IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void Random_secrets_differ_and_hold_letters_that_a_shell_leaves_alone()
    {
        using var one = Secret.Random();
        using var other = Secret.Random();

        Assert.NotEqual(one.Reveal(), other.Reveal());
        Assert.Matches("^[A-Za-z0-9_-]{32}$", one.Reveal());
        Assert.Throws<ArgumentOutOfRangeException>(() => Secret.Random(8));
    }

    public static TheoryData<object> Carriers =>
    [
        new SignInRequest("admin", Password),
        new ChangePasswordRequest(Password, Password),
        new CreateUserRequest("new", Password),
        new RepositoryAccess { Id = Samples.Repository, Url = "/srv", Password = Password },
        new RepositoryAccess { Id = Samples.Repository, Url = "s3:https://host/bucket", Password = "",
            Variables = new Dictionary<string, string> { ["AWS_SECRET_ACCESS_KEY"] = Password } },
        new StoreCredentials { AccessKey = "AKIA", SecretKey = Password },
        new CreateLocationRequest { Name = "", Credentials = new StoreCredentials { ConnectionString = Password } },
        new ReplaceLocationCredentialsRequest { Credentials = new StoreCredentials { Signature = Password } },
        new Job { Kind = JobKind.Init, Repository = new RepositoryAccess { Id = Samples.Repository, Url = "/srv", Password = Password } },
        new UserCreated(UserId.New(TimeProvider.System), "new", Password),
        new RepositoryEscape("/srv", Password, "restic"),
        new JoinToken(JoinTokenId.New(TimeProvider.System), Password, $"curl {Password}", Samples.Noon, "https://node:8421"),
        new Agents.JoinRequest { Token = Password, CsrPem = "", HostName = "", OperatingSystem = "", AgentVersion = "",
            ProtocolVersion = 1 },
    ];

    [Theory, MemberData(nameof(Carriers))]
    public void A_message_that_carries_a_password_does_not_show_it(object message)
        => Assert.DoesNotContain(Password, message.ToString(), StringComparison.Ordinal);

    [Fact]
    public void A_message_that_carries_a_password_still_sends_it()
        => Assert.Contains(Password, JsonSerializer.Serialize(new SignInRequest("admin", Password), WireJson.Default.SignInRequest),
        StringComparison.Ordinal);
}
