-- The same app's staging database: what production has to become. As `prisma migrate diff` writes it.
CREATE TYPE "public"."UserRole" AS ENUM ('USER', 'DISPATCHER', 'ADMIN');
CREATE TYPE "public"."TechnicianStatus" AS ENUM ('ON_JOB', 'ON_ROUTE', 'FINISHED_JOB', 'AWAITING_JOB');
CREATE TYPE "public"."CustomerType" AS ENUM ('RESIDENTIAL', 'COMMERCIAL');
CREATE TYPE "public"."BookingStatus" AS ENUM ('PENDING', 'SCHEDULED', 'CANCELED', 'COMPLETED');

CREATE TABLE "public"."User" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT,
    "role" "public"."UserRole" NOT NULL DEFAULT 'USER',
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "imageId" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."Image" (
    "id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "publicId" TEXT NOT NULL,
    "uploadedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Image_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."Booking" (
    "id" TEXT NOT NULL,
    "userId" TEXT,
    "customerId" TEXT,
    "serviceId" TEXT,
    "technicianId" TEXT,
    "scheduledFor" TIMESTAMP(3) NOT NULL,
    "status" "public"."BookingStatus" NOT NULL DEFAULT 'SCHEDULED',
    "notes" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Booking_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."Skill" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,

    CONSTRAINT "Skill_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."ServiceToJobType" (
    "id" TEXT NOT NULL,
    "displayName" TEXT NOT NULL,
    "serviceTitanId" INTEGER NOT NULL,
    "serviceTitanName" TEXT NOT NULL,
    "emoji" TEXT NOT NULL,
    "icon" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,

    CONSTRAINT "ServiceToJobType_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."Technician" (
    "id" TEXT NOT NULL,
    "technicianId" INTEGER NOT NULL,
    "technicianName" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "imageId" TEXT,
    "status" "public"."TechnicianStatus" NOT NULL DEFAULT 'AWAITING_JOB',

    CONSTRAINT "Technician_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."Customer" (
    "id" TEXT NOT NULL,
    "customerId" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "type" "public"."CustomerType" NOT NULL,
    "emailAddressId" TEXT,
    "phoneNumberId" TEXT NOT NULL,
    "imageId" TEXT,

    CONSTRAINT "Customer_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."PhoneNumber" (
    "id" TEXT NOT NULL,
    "countryCode" TEXT NOT NULL,
    "number" TEXT NOT NULL,

    CONSTRAINT "PhoneNumber_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."EmailAddress" (
    "id" TEXT NOT NULL,
    "address" TEXT NOT NULL,

    CONSTRAINT "EmailAddress_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "public"."ServiceToJobTypeSkill" (
    "serviceToJobTypeId" TEXT NOT NULL,
    "skillId" TEXT NOT NULL,

    CONSTRAINT "ServiceToJobTypeSkill_pkey" PRIMARY KEY ("serviceToJobTypeId","skillId")
);

CREATE TABLE "public"."TechnicianSkill" (
    "technicianId" TEXT NOT NULL,
    "skillId" TEXT NOT NULL,

    CONSTRAINT "TechnicianSkill_pkey" PRIMARY KEY ("technicianId","skillId")
);

CREATE UNIQUE INDEX "User_email_key" ON "public"."User"("email");
CREATE INDEX "Booking_scheduledFor_idx" ON "public"."Booking"("scheduledFor");
CREATE UNIQUE INDEX "Skill_name_key" ON "public"."Skill"("name");
CREATE UNIQUE INDEX "Technician_technicianId_key" ON "public"."Technician"("technicianId");
CREATE UNIQUE INDEX "Customer_customerId_key" ON "public"."Customer"("customerId");
CREATE UNIQUE INDEX "PhoneNumber_countryCode_number_key" ON "public"."PhoneNumber"("countryCode", "number");
CREATE UNIQUE INDEX "EmailAddress_address_key" ON "public"."EmailAddress"("address");

ALTER TABLE "public"."User" ADD CONSTRAINT "User_imageId_fkey" FOREIGN KEY ("imageId") REFERENCES "public"."Image"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "public"."Booking" ADD CONSTRAINT "Booking_userId_fkey" FOREIGN KEY ("userId") REFERENCES "public"."User"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "public"."Booking" ADD CONSTRAINT "Booking_customerId_fkey" FOREIGN KEY ("customerId") REFERENCES "public"."Customer"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."Booking" ADD CONSTRAINT "Booking_serviceId_fkey" FOREIGN KEY ("serviceId") REFERENCES "public"."ServiceToJobType"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."Booking" ADD CONSTRAINT "Booking_technicianId_fkey" FOREIGN KEY ("technicianId") REFERENCES "public"."Technician"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."Technician" ADD CONSTRAINT "Technician_imageId_fkey" FOREIGN KEY ("imageId") REFERENCES "public"."Image"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "public"."Customer" ADD CONSTRAINT "Customer_emailAddressId_fkey" FOREIGN KEY ("emailAddressId") REFERENCES "public"."EmailAddress"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "public"."Customer" ADD CONSTRAINT "Customer_phoneNumberId_fkey" FOREIGN KEY ("phoneNumberId") REFERENCES "public"."PhoneNumber"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."Customer" ADD CONSTRAINT "Customer_imageId_fkey" FOREIGN KEY ("imageId") REFERENCES "public"."Image"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "public"."ServiceToJobTypeSkill" ADD CONSTRAINT "ServiceToJobTypeSkill_serviceToJobTypeId_fkey" FOREIGN KEY ("serviceToJobTypeId") REFERENCES "public"."ServiceToJobType"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."ServiceToJobTypeSkill" ADD CONSTRAINT "ServiceToJobTypeSkill_skillId_fkey" FOREIGN KEY ("skillId") REFERENCES "public"."Skill"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."TechnicianSkill" ADD CONSTRAINT "TechnicianSkill_technicianId_fkey" FOREIGN KEY ("technicianId") REFERENCES "public"."Technician"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "public"."TechnicianSkill" ADD CONSTRAINT "TechnicianSkill_skillId_fkey" FOREIGN KEY ("skillId") REFERENCES "public"."Skill"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
